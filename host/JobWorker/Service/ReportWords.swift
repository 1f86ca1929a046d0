import HostRuntime
import HostStorage

extension WorkerReport.Tick {
    mutating func count(_ end: WorkerReport.JobEnd) {
        switch end {
        case .done, .expired: done += 1
        case .retried: retried += 1
        case .deferred: deferred += 1
        case .deadLettered: deadLettered += 1
        case .leaseLost, .abandoned: break
        }
    }

    mutating func count(_ outcome: PushOutcome) {
        pushes += 1
        switch outcome {
        case .failed: pushFailed += 1
        case .suppressed: suppressed += 1
        case .delivered, .deliveredElsewhere, .simulated, .again, .held, .postponed: break
        }
    }
}

extension WorkerReport.JobEnd {
    /// The label of the result, nil when the job did not end here, and the code of its failure.
    var words: (result: String?, code: String?) {
        switch self {
        case .done: ("done", nil)
        case .expired: ("expired", nil)
        case .retried(let code): ("retried", code)
        case .deferred(let code): ("deferred", code)
        case .deadLettered(let code): ("dead_letter", code)
        case .leaseLost, .abandoned: (nil, nil)
        }
    }

    var level: HostLogLevel {
        switch self {
        case .done, .expired: .info
        case .retried, .deferred, .leaseLost, .abandoned: .warn
        case .deadLettered: .error
        }
    }
}

extension PushOutcome {
    /// A word for logs and metrics.
    var word: String {
        switch self {
        case .delivered, .deliveredElsewhere: "delivered"
        case .simulated: "simulated"
        case .suppressed: "suppressed"
        case .failed: "failed"
        case .again: "retried"
        case .postponed(_, .some): "operator_fault"
        case .held, .postponed: "held"
        }
    }

    var code: String? {
        switch self {
        case .failed(let code, _, _), .again(let code, _): code
        case .postponed(_, let code): code
        case .delivered, .deliveredElsewhere, .simulated, .suppressed, .held: nil
        }
    }

    /// Handed to the provider, or to the log in its place.
    var isSent: Bool {
        switch self {
        case .delivered, .deliveredElsewhere, .simulated: true
        case .suppressed, .failed, .again, .held, .postponed: false
        }
    }
}

extension StorageError {
    /// A word for logs.
    var word: String {
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
