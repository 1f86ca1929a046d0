public import Sodium

/// A connector's record, opened.
public struct OpenedConnector: ~Copyable, Sendable {
    /// The refresh token.
    public let token: SecretBytes
    /// SHA-256 that names the provider account, 32 bytes.
    public let accountHash: [UInt8]
    /// Version of the record it was read from.
    public let recordVersion: UInt64

    init(token: consuming SecretBytes, accountHash: [UInt8], recordVersion: UInt64) {
        self.token = token
        self.accountHash = accountHash
        self.recordVersion = recordVersion
    }

    /// Gives up the token to a new owner.
    public consuming func takeToken() -> SecretBytes { token }
}

/// A connector's record, opened, whichever kind it is.
public enum ConnectorRecord: ~Copyable, Sendable {
    /// It holds a token.
    case connected(OpenedConnector)
    /// It was revoked.
    case tombstone(recordVersion: UInt64)
}

/// What a check of a connector's record tells without lending the token.
public struct ConnectorState: Sendable, Equatable {
    /// Version of the record.
    public let recordVersion: UInt64
    /// SHA-256 that names the provider account, 32 bytes.
    public let accountHash: [UInt8]
}

/// What a rotation found of a connector's record.
public enum ConnectorRewrap: Sendable, Equatable {
    /// It is under the active key already.
    case current(recordVersion: UInt64)
    /// The record that is to take its place.
    case rewrapped(StoredRecord)
}

/// The plaintext of a connector's record: `1 ‖ account hash 32 ‖ token`, or `2` alone for a tombstone.
enum ConnectorContent {
    static let tokenType: UInt8 = 1
    static let tombstoneType: UInt8 = 2
    static let accountHashBytes = 32
    static let tokenOffset = 33
    /// Longest token; keeps the sealed record well under what the record port carries.
    static let maximumTokenBytes = 4096

    /// Checks the shape of an authentic plaintext; true when it holds a token.
    static func holdsToken(_ plaintext: UnsafeRawBufferPointer) throws(VaultError) -> Bool {
        switch unsafe plaintext.first {
        case tokenType where plaintext.count > tokenOffset: return true
        case tombstoneType where plaintext.count == 1: return false
        default: throw .sealedDataRejected
        }
    }

    static func accountHash(_ plaintext: UnsafeRawBufferPointer) -> [UInt8] {
        unsafe Array(plaintext[1..<tokenOffset])
    }

    static func token(_ plaintext: UnsafeRawBufferPointer) -> SecretBytes {
        unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: plaintext[tokenOffset...]))
    }
}
