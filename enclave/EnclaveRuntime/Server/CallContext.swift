internal import AttestedSession
internal import EnclaveProtocol
internal import EnclaveVault

/// What an operation knows of its call besides the message.
struct CallContext: Sendable {
    /// What the caller may do.
    let role: Role
    /// Number of the session it came over.
    let session: UInt64
    /// When the caller stops waiting.
    let deadline: MonotonicInstant
    /// Records of the host, asked for over the caller's session within the deadline.
    let port: any RecordPort
    /// The same for work that outlives the call: over any open session.
    let lastingPort: any RecordPort
    /// Runs the operation again, or fails it; for an operation that parked itself.
    let resume: @Sendable (Result<Void, EnclaveFailure>) -> Void
    /// Whether this is a repetition after parking; what was charged once is not charged again.
    let isResumed: Bool
}

/// What an operation came to.
enum OperationResult {
    /// The encoded answer.
    case answer([UInt8])
    /// Nothing yet: `resume` will be called.
    case parked

    static func answer(_ message: some WireMessage) -> OperationResult { .answer(message.encoded()) }
}
