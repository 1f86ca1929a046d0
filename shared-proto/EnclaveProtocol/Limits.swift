/// Every bound of the protocol in one place; both sides and WIRE.md use these values.
public enum Limits {
    /// Version stated in plain hello messages; a peer that speaks another one is refused.
    public static let protocolVersion: UInt64 = 1

    // MARK: CBOR

    /// Greatest nesting of arrays and maps in any message.
    public static let maximumDepth = 8
    /// Greatest number of elements of one array or pairs of one map.
    public static let maximumElements = 4096

    // MARK: Frames, in bytes without the 4-byte length

    /// Largest frame to the enclave before a session exists.
    public static let maximumPlainFrameBytes = 16 * 1024
    /// Largest frame once a session exists: the Noise limit (revision 34, section 3).
    public static let maximumTransportFrameBytes = 65_535
    /// ChaCha20-Poly1305 tag of every transport message.
    public static let tagBytes = 16
    /// Call id, kind and flags before each chunk.
    public static let recordHeaderBytes = 6
    /// Body bytes that fit one transport message.
    public static let maximumChunkBytes = maximumTransportFrameBytes - tagBytes - recordHeaderBytes

    // MARK: Calls

    /// Largest reassembled body: 1 MiB of content and room for its envelope.
    public static let maximumMessageBytes = 1024 * 1024 + 64 * 1024
    /// Bytes of whole messages that may be under way per direction and class before credit comes back.
    public static let creditWindowBytes = 4 * 1024 * 1024
    /// Calls a host keeps in flight on one session; it queues the rest.
    public static let maximumCallsInFlight = 64
    /// Callbacks an enclave keeps in flight on one session.
    public static let maximumCallbacksInFlight = 128
    /// Longest deadline of one call, in milliseconds.
    public static let maximumDeadlineMilliseconds: UInt64 = 60_000

    // MARK: Content

    /// Most items of one `data.seal` or `data.open`.
    public static let maximumSealItems = 256
    /// Most content bytes of one `data.seal` or `data.open`, all items together.
    public static let maximumSealBytes = 1024 * 1024
    /// Largest provider body that `google.get` returns.
    public static let maximumProviderBodyBytes = 1024 * 1024
    /// Longest request id, in characters of `[A-Za-z0-9._-]`.
    public static let maximumRequestIDLength = 128
    /// Longest text of one identifier-like field (measurement, record id, redirect URI).
    public static let maximumFieldBytes = 2048
    /// Largest sealed record of one connector.
    public static let maximumSealedRecordBytes = 8 * 1024

    // MARK: Before a session

    /// Connections without a session; the oldest goes when one more comes.
    public static let maximumPendingConnections = 256
    /// Time from accept to a finished handshake, in seconds.
    public static let handshakeSeconds = 5
    /// Challenges answered per second; half of them are kept for purpose `session`.
    public static let challengesPerSecond = 20
    /// Life of one answer of `attestation.document`, in seconds.
    public static let documentLifeSeconds = 60
    /// How far ahead of the enclave's clock a challenge may begin, in seconds.
    public static let challengeLeadSeconds: UInt64 = 60
    /// Tolerated difference between the two sides' clocks, in seconds.
    public static let clockLeewaySeconds: UInt64 = 30
}
