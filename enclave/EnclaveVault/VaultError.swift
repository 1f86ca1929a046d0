public import EnclaveProtocol

/// Why the vault refuses; each case is one error number of the protocol.
public enum VaultError: Error, Equatable, Sendable, CaseIterable {
    /// Changed, moved to another row, user, purpose or version, or not sealed by this system at all.
    case sealedDataRejected
    /// Older than what this enclave has seen, other content under the same version, or gone.
    case recordRolledBack
    /// Key id or version differ between row, sealed header and configuration, or a data key lacks its lineage.
    case keyPolicyMismatch
    /// There is no record, and none was seen.
    case recordMissing
    /// Another writer was faster.
    case recordConflict
    /// The record is a tombstone.
    case recordRevoked
    /// The host did not answer a callback, or answered nonsense.
    case recordPortFailed
    /// KMS or the store of wrapped keys failed.
    case keyStoreFailed
    /// The host refuses the record for good.
    case recordRefused
    /// The caller's deadline passed.
    case timedOut
    /// The caller gave up.
    case cancelled

    /// The number on the wire.
    public var code: EnclaveErrorCode {
        switch self {
        case .sealedDataRejected: .sealedDataRejected
        case .recordRolledBack: .recordRolledBack
        case .keyPolicyMismatch: .keyPolicyMismatch
        case .recordMissing: .recordMissing
        case .recordConflict: .recordConflict
        case .recordRevoked: .recordRevoked
        case .recordPortFailed: .recordPortFailed
        case .keyStoreFailed: .keyStoreFailed
        case .recordRefused: .recordRefused
        case .timedOut: .timedOut
        case .cancelled: .cancelled
        }
    }
}
