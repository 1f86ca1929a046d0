import Foundation
import HostRuntime
import HostStorage
import Sodium

/// A job as it is printed; its user appears as in the logs.
struct JobRow: Encodable {
    let id: String
    let user_ref: String
    let type: String
    let state: String
    let outcome: String?
    let due_at: String
    let expires_at: String?
    let last_run_at: String?
    let finished_at: String?
    let attempts: Int
    let deferrals: Int
    let error_code: String?
    let error_message: String?
    let lease_owner: String?
    let request_id: String?
    let dead_letter: Bool
    let redriven_at: String?

    init(_ job: JobSummary) {
        id = job.id.uuidString.lowercased()
        user_ref = JobRow.reference(job.user)
        type = job.type
        state = job.state
        outcome = job.outcome
        due_at = job.dueAt.formatted(.iso8601)
        expires_at = job.expiresAt?.formatted(.iso8601)
        last_run_at = job.lastRunAt?.formatted(.iso8601)
        finished_at = job.finishedAt?.formatted(.iso8601)
        attempts = job.attempts
        deferrals = job.deferrals
        error_code = job.errorCode
        error_message = job.errorMessage
        lease_owner = job.leaseOwner
        request_id = job.requestID
        dead_letter = job.isDeadLetter
        redriven_at = job.redrivenAt?.formatted(.iso8601)
    }

    /// For a list.
    var line: String {
        [id, type, state, "due \(due_at)", "attempts \(attempts)", "user \(user_ref)", error_code ?? outcome ?? ""]
            .filter { !$0.isEmpty }.joined(separator: "  ")
    }

    /// For people, those that are there.
    var fields: [(String, String)] {
        let all: [(String, String?)] = [
            ("id           ", id), ("user         ", user_ref), ("type         ", type), ("state        ", state),
            ("outcome      ", outcome), ("due          ", due_at), ("expires      ", expires_at),
            ("last run     ", last_run_at), ("finished     ", finished_at), ("attempts     ", String(attempts)),
            ("deferrals    ", String(deferrals)), ("error        ", error_code), ("             ", error_message),
            ("leased by    ", lease_owner), ("request      ", request_id),
            ("dead letter  ", dead_letter ? "yes" : nil), ("retried      ", redriven_at),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}

/// A notification as it is printed.
struct PushRow: Encodable {
    let id: String
    let user_ref: String
    let job_id: String?
    let kind: String
    let state: String
    let error_code: String?
    let attempts: Int
    let finished_at: String?

    init(_ push: FailedPush) {
        id = push.id.uuidString.lowercased()
        user_ref = JobRow.reference(push.user)
        job_id = push.job?.uuidString.lowercased()
        kind = push.kind
        state = push.state
        error_code = push.errorCode
        attempts = push.attempts
        finished_at = push.finishedAt?.formatted(.iso8601)
    }

    var line: String {
        [id, kind, state, "attempts \(attempts)", "user \(user_ref)", error_code ?? "", finished_at ?? ""]
            .filter { !$0.isEmpty }.joined(separator: "  ")
    }
}

extension JobRow {
    /// A person as in the logs.
    static func reference(_ user: UUID) -> String {
        userReference(digest: Hash.sha256(Array(user.uuidString.lowercased().utf8)))
    }
}
