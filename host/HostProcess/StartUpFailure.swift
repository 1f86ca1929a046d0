public import HostRuntime
import HostStorage

/// A step of start-up that failed; the process ends with status 1.
public struct StartUpFailure: Error, Equatable, Sendable {
    public enum Step: String, Sendable {
        case redis, database, schema, push, enclave, prices, listeners, services
        case enclaveKey = "enclave_key"
    }

    public let step: Step
    /// From a closed list; no text of a dependency.
    public let reason: String

    public init(step: Step, reason: String) {
        self.step = step
        self.reason = reason
    }

    /// Says it in the log.
    ///
    /// - Returns: the status the process ends with.
    public func report(to log: HostLog) -> Int32 {
        log.event("startup_failed", .error, [LogField(.step, step.rawValue), LogField(.reason, reason)])
        return 1
    }
}

extension StartUpFailure {
    init(_ error: RedisError) { self.init(step: .redis, reason: error.word) }

    init(_ failure: DatabaseCheck.Failure) {
        switch failure {
        case .database(let error, let problem):
            self.init(step: .database, reason: problem?.rawValue ?? error.word)
        case .schema(let error): self.init(step: .schema, reason: error.word)
        }
    }
}

extension RedisError {
    /// A word for logs.
    fileprivate var word: String {
        switch self {
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .badURL: "bad_url"
        case .refused(let word): "refused \(word)"
        case .unexpectedAnswer: "unexpected_answer"
        }
    }
}

extension StorageError {
    /// A word for logs.
    fileprivate var word: String {
        switch self {
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .cancelled: "cancelled"
        case .unique: "unique"
        case .conflict: "conflict"
        case .userDeleted: "user_deleted"
        case .schemaOutdated: "schema_outdated"
        case .unexpected(let state): "sqlstate_\(state)"
        }
    }
}
