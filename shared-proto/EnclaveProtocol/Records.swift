/// What a transport message is, once decrypted (WIRE.md, "Records").
public enum RecordKind: UInt8, Sendable {
    /// `CallEnvelope`, from the side that owns the call id's parity.
    case request = 1
    /// Answer message of the method.
    case response = 2
    /// `EnclaveFailure`.
    case error = 3
    /// The caller no longer wants the answer; no body.
    case cancel = 4
    /// Credit returned for consumed messages: 4 bytes big-endian; call id 0 = calls, 1 = callbacks.
    case credit = 5
}

/// Header in front of each chunk: call id (4 bytes big-endian), kind, flags; fixed layout, no CBOR.
public struct RecordHeader: Equatable, Sendable {
    /// Odd: call of the host. Even: callback of the enclave.
    public let callID: UInt32
    /// What follows.
    public let kind: RecordKind
    /// More chunks of this body follow (bit 0 of the flags).
    public let hasMore: Bool

    /// A header.
    public init(callID: UInt32, kind: RecordKind, hasMore: Bool) {
        self.callID = callID
        self.kind = kind
        self.hasMore = hasMore
    }

    /// The 6 bytes.
    public var bytes: [UInt8] {
        [
            UInt8(truncatingIfNeeded: callID >> 24), UInt8(truncatingIfNeeded: callID >> 16),
            UInt8(truncatingIfNeeded: callID >> 8), UInt8(truncatingIfNeeded: callID),
            kind.rawValue, hasMore ? 1 : 0,
        ]
    }

    /// Reads a header from exactly 6 bytes; nil for an unknown kind or flag.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Limits.recordHeaderBytes else { return nil }
        var id: UInt32 = 0
        for byte in bytes.prefix(4) { id = id << 8 | UInt32(byte) }
        let rest = Array(bytes.dropFirst(4))
        guard let kind = RecordKind(rawValue: rest[0]), rest[1] <= 1 else { return nil }
        self.init(callID: id, kind: kind, hasMore: rest[1] == 1)
    }
}

/// Input of the prologue hash: binds a session to the two hello messages that it grew from.
///
/// Prologue = SHA-256 of this: the text `alfred-session/1`, then each payload (without its 4-byte frame length),
/// preceded by its length as 4 bytes big-endian: first the challenge request, then the challenge answer.
public func sessionPrologueInput(challengeRequest: [UInt8], challengeAnswer: [UInt8]) -> [UInt8] {
    var input = Array("alfred-session/1".utf8)
    for payload in [challengeRequest, challengeAnswer] {
        input.append(contentsOf: frameLengthBytes(payload.count))
        input.append(contentsOf: payload)
    }
    return input
}

/// The 4-byte big-endian length in front of every frame.
public func frameLengthBytes(_ count: Int) -> [UInt8] {
    [
        UInt8(truncatingIfNeeded: count >> 24), UInt8(truncatingIfNeeded: count >> 16),
        UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count),
    ]
}
