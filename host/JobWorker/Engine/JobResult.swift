import EnclaveClient
import EnclaveProtocol
public import FoundationEssentials
public import HostStorage

/// What running a job came to. The engine carries it out under the job's lease; running a job writes nothing itself.
public enum JobResult: Sendable {
    /// The effect to commit; it may be empty.
    case done(JobEffect)
    /// Again after a pause, until the attempts are used up.
    case transient(JobProblem, retryAfter: Duration? = nil)
    /// Not the job's fault: again soon, no attempt counted.
    case deferred(JobProblem)
    /// Not yet its time: at that moment, no attempt counted.
    case postponed(until: Date)
    case permanent(JobProblem)
    /// The provider no longer takes the refresh token of this record.
    case reconnectRequired(connector: UUID, recordVersion: Int64)

    /// Nothing to do, for a reason.
    public static func skipped(_ reason: String, audits: [AuditEvent] = []) -> JobResult {
        .done(JobEffect(outcome: "skipped:\(reason)", audits: audits))
    }
}

/// Ends the running of a job early.
public struct JobStop: Error, Sendable {
    public let result: JobResult

    public init(_ result: JobResult) { self.result = result }

    /// The enclave failed while the job used no connector.
    init(_ error: EnclaveCallError, during operation: EnclaveOperation) {
        let failure = EnclaveErrorMapping.job(error, during: operation)
        let problem = JobProblem(code: failure.code)
        switch failure.kind {
        case .transient:
            self.init(.transient(problem, retryAfter: failure.retryAfterSeconds.map { .seconds($0) }))
        case .deferred: self.init(.deferred(problem))
        case .permanent: self.init(.permanent(problem))
        case .skip: self.init(.skipped(failure.code))
        }
    }

    /// The enclave failed while the job used `connector`, which may have to be connected again.
    init(_ error: EnclaveCallError, during operation: EnclaveOperation, with connector: Connector) {
        if case .failed(let failure) = error, failure.code == .reconnectRequired {
            self.init(.reconnectRequired(connector: connector.id, recordVersion: connector.recordVersion))
        } else {
            self.init(error, during: operation)
        }
    }

    /// Postgres failed while a job read; `code` names what was read.
    init(_ error: StorageError, code: String) {
        switch error {
        case .unavailable, .timeout, .cancelled: self.init(.deferred(JobProblem(code: "DATABASE_UNAVAILABLE")))
        case .userDeleted: self.init(.skipped("account_deleted"))
        case .unique, .conflict, .schemaOutdated, .unexpected: self.init(.transient(JobProblem(code: code)))
        }
    }
}

extension JobProblem {
    /// A code with its fixed text.
    init(code: String) {
        let text =
            switch code {
            case "DATABASE_UNAVAILABLE": "The database did not answer."
            case "PREFERENCES_READ_FAILED": "The user's preferences could not be read."
            case "JOB_TIMEOUT": "The job ran longer than its limit."
            case "JOB_PAYLOAD_UNREADABLE": "The job's payload could not be read."
            case "JOB_TYPE_UNKNOWN": "This version has no such job."
            case "WORKER_DRAINED": "The worker shut down while the job ran."
            case _ where code.hasPrefix("ENCLAVE_"): "The enclave could not be used."
            case _ where code.hasPrefix("CONNECTOR_"): "The stored connector could not be used."
            case "NO_REGISTERED_DEVICE": "The user has no device to notify."
            case _ where code.hasPrefix("GMAIL_"): "Gmail did not answer as expected."
            case _ where code.hasPrefix("GOOGLE_"): "Google did not answer as expected."
            default: "The job failed."
            }
        self.init(code: code, message: text)
    }
}

/// One kind of job.
public protocol JobHandler: Sendable {
    /// Reads what it needs and says what to do; reacts to cancellation.
    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult
}
