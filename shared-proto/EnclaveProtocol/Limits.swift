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
    /// Largest frame to the host before a session exists: evidence or document with an NSM document.
    public static let maximumPlainAnswerBytes = 64 * 1024 - 1
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
    /// Consumed bytes after which their credit is sent back.
    public static let creditReturnBytes = creditWindowBytes / 4
    /// Bytes of answers waiting to be sent, beyond which new requests are refused: a peer that returns no credit.
    public static let maximumQueuedAnswerBytes = 4 * creditWindowBytes
    /// Calls a host keeps in flight on one session; it queues the rest.
    public static let maximumCallsInFlight = 64
    /// Callbacks an enclave keeps in flight on one session.
    public static let maximumCallbacksInFlight = 128
    /// Calls that were given up while the peer still works on them; a peer that keeps more has stopped answering.
    public static let maximumAbandonedCalls = 256
    /// Calls of a host in progress at the enclave: those it waits for and those it gave up.
    public static let maximumCallsServed = maximumCallsInFlight + maximumAbandonedCalls
    /// Callbacks of an enclave in progress at the host: those it waits for and those it gave up.
    public static let maximumCallbacksServed = maximumCallbacksInFlight + maximumAbandonedCalls
    /// Errors, cancellations and credits waiting to be sent; a peer that lets more pile up does not read.
    public static let maximumControlRecords = 1024
    /// Longest deadline of one call, in milliseconds.
    public static let maximumDeadlineMilliseconds: UInt64 = 60_000
    /// Longest life of a session, in seconds.
    public static let maximumSessionSeconds = 3600
    /// The enclave waits so long for a last call that crossed the end of the session's life.
    public static let expiryGraceSeconds = 5
    /// A peer that takes nothing for so many seconds is dead.
    public static let writeStallSeconds = 10

    // MARK: Content

    /// Most items of one `data.seal` or `data.open`.
    public static let maximumSealItems = 256
    /// Most content bytes of one `data.seal` or `data.open`, all items together.
    public static let maximumSealBytes = 1024 * 1024
    /// Largest provider body that `google.get` returns.
    public static let maximumProviderBodyBytes = 1024 * 1024
    /// Longest request id, in characters of `[A-Za-z0-9._-]`.
    public static let maximumRequestIDLength = 128
    /// Longest text of one identifier-like field (measurement, redirect URI).
    public static let maximumFieldBytes = 2048
    /// Largest sealed record of one connector.
    public static let maximumSealedRecordBytes = 8 * 1024
    /// Largest wrapped key.
    public static let maximumWrappedKeyBytes = 4096
    /// Longest key id.
    public static let maximumKeyIDBytes = 256
    /// Most key versions that may be opened besides the active one.
    public static let maximumDecryptVersions = 8
    /// Longest AWS access key id or secret access key.
    public static let maximumAWSKeyBytes = 128
    /// Longest AWS session token.
    public static let maximumAWSSessionTokenBytes = 4096
    /// Longest ciphertext that KMS decrypts.
    public static let maximumKMSCiphertextBytes = 6144
    /// Longest name of a connector's provider.
    public static let maximumProviderBytes = 32
    /// Longest name of a key store.
    public static let maximumKeyProviderBytes = 16
    /// Longest purpose of a sealed value.
    public static let maximumDataPurposeBytes = 32
    /// Longest record id of a sealed value.
    public static let maximumRecordIDBytes = 128
    /// Longest purpose of a challenge.
    public static let maximumChallengePurposeBytes = 64
    /// Longest label that evidence and document begin with.
    public static let maximumLabelBytes = 32
    /// Longest name of a runtime.
    public static let maximumRuntimeBytes = 64
    /// Longest status, environment or mode.
    public static let maximumWordBytes = 16
    /// Largest evidence or document.
    public static let maximumEvidenceBytes = 8 * 1024
    /// Largest NSM document.
    public static let maximumNSMDocumentBytes = 17 * 1024
    /// Longest OAuth state.
    public static let maximumStateBytes = 256
    /// Longest authorisation URL.
    public static let maximumAuthorizationURLBytes = 8 * 1024
    /// Longest authorisation code.
    public static let maximumCodeBytes = 2048
    /// Most granted scopes.
    public static let maximumScopes = 32
    /// Longest scope.
    public static let maximumScopeBytes = 256
    /// Longest date and time.
    public static let maximumDateTimeBytes = 32
    /// Longest time that one calendar listing may cover, in seconds.
    public static let maximumCalendarSpanSeconds = 8 * 86_400
    /// Longest page token.
    public static let maximumPageTokenBytes = 1024
    /// Longest message id of Gmail.
    public static let maximumMessageIDBytes = 64
    /// Most counters of `metrics`.
    public static let maximumCounters = 512
    /// Longest name or label of a counter.
    public static let maximumCounterTextBytes = 64

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
