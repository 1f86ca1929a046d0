import ArgumentParser
import Foundation
import HostRuntime
import HostStorage

/// Requests to erase users.
struct PrivacyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "privacy", abstract: "Looks at open requests to erase a user, makes one due now.",
        discussion: "DATABASE_URL must name the operator's role.",
        subcommands: [ListPrivacyCommand.self, RetryPrivacyCommand.self])

    /// Opens the database for one use.
    static func use<Value: Sendable>(
        _ body: (PrivacyOperations) async throws(StorageError) -> Value
    ) async throws(CommandFailure) -> Value {
        let pool = PostgresPool(try OperatorEnvironment.database())
        defer { pool.shutdown() }
        do throws(StorageError) {
            return try await body(PrivacyOperations(pool))
        } catch {
            throw .failed("privacy: " + error.explanation)
        }
    }
}

/// A request as it is printed; its user appears as in the logs.
private struct PrivacyRow: Encodable {
    let id: String
    let user_ref: String
    let status: String
    let created_at: String
    let age_seconds: Int
    let next_attempt_at: String
    let attempts: Int
    let revoke_attempts: Int
    let unrevoked_connectors: Int
    let reason: String?
    let lease_owner: String?

    init(_ request: OpenPrivacyRequest) {
        id = request.id.uuidString.lowercased()
        user_ref = JobRow.reference(request.user)
        status = request.status.rawValue
        created_at = request.createdAt.formatted(.iso8601)
        age_seconds = Int(request.age.inSeconds)
        next_attempt_at = request.nextAttemptAt.formatted(.iso8601)
        attempts = request.attempts
        revoke_attempts = request.revokeAttempts
        unrevoked_connectors = request.unrevokedConnectors
        reason = request.reason
        lease_owner = request.leaseOwner
    }

    var line: String {
        let hours = "age \(age_seconds / 3600) h \(age_seconds % 3600 / 60) min"
        return [
            id, status, hours, "tries \(attempts)", "next \(next_attempt_at)", "user \(user_ref)", reason ?? "",
        ]
        .filter { !$0.isEmpty }.joined(separator: "  ")
    }
}

/// Lists open requests.
struct ListPrivacyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Open requests with age, tries and the reason of the last failure.")

    @Flag(help: "Print one JSON object.") var json = false

    mutating func run() async throws {
        let open = try await PrivacyCommand.use { requests throws(StorageError) in try await requests.list() }
        if json { return Output.json(["requests": open.map(PrivacyRow.init)]) }
        for request in open { Output.line(PrivacyRow(request).line) }
        Output.line("\(open.count) open requests")
    }
}

/// Makes one due now.
struct RetryPrivacyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Makes a waiting request due now.")

    @Argument(
        help: "The request's id.",
        transform: { text in
            guard let id = UUID(uuidString: text) else { throw ValidationError("\(text) is not a request's id") }
            return id
        })
    var id: UUID
    @Flag(help: "Print one JSON object.") var json = false

    mutating func run() async throws {
        let id = id
        guard try await PrivacyCommand.use({ requests throws(StorageError) in try await requests.retry(id) }) else {
            throw CommandFailure.failed("privacy retry: there is no such waiting request")
        }
        let name = id.uuidString.lowercased()
        HostLog(process: .operator, threshold: .info).with(requestID: RequestID(name), trace: nil).event(
            "privacy_delete_made_due", .info, [LogField(.osUser, ProcessInfo.processInfo.userName)])
        if json { Output.json(["retried": name]) } else { Output.line("due now: \(name)") }
    }
}
