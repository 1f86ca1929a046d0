public import FoundationEssentials

/// The tables with a sealed column, and how a row of each is found and written.
public enum SealedTable: String, CaseIterable, Sendable {
    case devices
    case oauthStates = "oauth_states"
    case jobs
    case deadLetterJobs = "dead_letter_jobs"
    case pushOutbox = "push_outbox"
    case assistantSessions = "assistant_sessions"
    case idempotentAnswers = "idempotent_answers"
    case connectors
    /// After the connectors: a record moves from there to here.
    case pendingRevocations = "pending_revocations"

    /// Whether the enclave reads and writes the rows itself, through the record port.
    public var isThroughRecordPort: Bool { self == .connectors || self == .pendingRevocations }

    var sealedColumn: String {
        switch self {
        case .devices: "apns_token_ciphertext"
        case .oauthStates: "code_verifier_ciphertext"
        case .jobs, .deadLetterJobs, .pushOutbox: "payload_ciphertext"
        case .assistantSessions: "memory_ciphertext"
        case .idempotentAnswers: "body_ciphertext"
        case .connectors, .pendingRevocations: "refresh_token_ciphertext"
        }
    }

    var versionColumn: String { isThroughRecordPort ? "token_version" : "sealed_key_version" }

    /// The record id that is bound into the sealed value.
    var recordID: String {
        switch self {
        case .devices: "device_identifier"
        case .deadLetterJobs: "job_id::text"
        case .assistantSessions: "session_id::text"
        case .pendingRevocations: "connector_id::text"
        default: "id::text"
        }
    }

    /// The record version that is bound into the sealed value.
    var recordVersion: String {
        switch self {
        case .assistantSessions, .connectors, .pendingRevocations: "record_version"
        default: "0::bigint"
        }
    }
}

/// One sealed value with what is bound into it.
public struct SealedRow: Sendable, Equatable {
    public let id: UUID
    public let user: UUID
    public let recordID: String
    public let recordVersion: Int64
    public let sealed: [UInt8]
}

/// Rows of one table under one key version.
public struct KeyUse: Sendable, Equatable {
    public let table: SealedTable
    public let keyVersion: Int
    public let rows: Int
}

/// A wrapped data key, without the key.
public struct WrappedKeyState: Sendable, Equatable {
    public let keyID: String
    public let version: Int
    public let state: String
    public let hasLineage: Bool
}

/// How far the re-sealing of one table has come.
public struct RewrapProgress: Sendable, Equatable {
    public var lastID: UUID?
    public var total: Int
    public var done: Int
    public var failed: Int
    public var isDone: Bool

    public init(lastID: UUID? = nil, total: Int, done: Int = 0, failed: Int = 0, isDone: Bool = false) {
        self.lastID = lastID
        self.total = total
        self.done = done
        self.failed = failed
        self.isDone = isDone
    }
}
