import ArgumentParser
import Foundation
import HostRuntime
import HostStorage

/// Jobs, dead letters and failed notifications; their content is never shown.
struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Looks at jobs and dead letters, runs them again or gives them up.",
        discussion: "DATABASE_URL must name the operator's role.",
        subcommands: [
            ListJobsCommand.self, ShowJobCommand.self, RetryJobsCommand.self, DiscardJobCommand.self,
        ])

    /// Opens the database for one use.
    static func use<Value: Sendable>(
        _ body: (JobOperations) async throws(StorageError) -> Value
    ) async throws(CommandFailure) -> Value {
        let pool = PostgresPool(try OperatorEnvironment.database())
        defer { pool.shutdown() }
        do throws(StorageError) {
            return try await body(JobOperations(pool))
        } catch {
            throw .failed("jobs: " + error.explanation)
        }
    }

    /// Every change is logged with the one who made it.
    static func logChange(_ name: StaticString, _ id: UUID) {
        HostLog(process: .operator, threshold: .info).event(
            name, .info,
            [
                LogField(.jobID, id.uuidString.lowercased()), LogField(.osUser, ProcessInfo.processInfo.userName),
            ])
    }

    static func identifier(_ text: String) throws -> UUID {
        guard let id = UUID(uuidString: text) else { throw ValidationError("\(text) is not a job's id") }
        return id
    }
}

/// Lists jobs by their state, or failed notifications.
struct ListJobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Jobs in a state (FAILED unless stated), or failed notifications.")

    @Option(help: "PENDING, RUNNING, DONE or FAILED.") var state = "FAILED"
    @Option(help: "Only jobs of this type.") var type: String?
    @Option(help: "Most rows, 1 to 1000.") var limit = 50
    @Flag(help: "Notifications that failed or expired instead of jobs.") var pushes = false
    @Flag(help: "Print one JSON object.") var json = false

    mutating func validate() throws {
        guard JobOperations.JobState(rawValue: state.uppercased()) != nil else {
            throw ValidationError("--state must be one of PENDING, RUNNING, DONE, FAILED")
        }
        if let type, JobType(rawValue: type.uppercased()) == nil { throw ValidationError("there is no type \(type)") }
        guard (1...1000).contains(limit) else { throw ValidationError("--limit must be 1 to 1000") }
    }

    mutating func run() async throws {
        let limit = limit
        if pushes {
            let found = try await JobsCommand.use { jobs throws(StorageError) in
                try await jobs.failedPushes(limit: limit)
            }
            if json { return Output.json(["pushes": found.map(PushRow.init)]) }
            for push in found { Output.line(PushRow(push).line) }
            return Output.line("\(found.count) notifications")
        }
        let state = JobOperations.JobState(rawValue: state.uppercased()) ?? .failed
        let type = type.flatMap { JobType(rawValue: $0.uppercased()) }
        let found = try await JobsCommand.use { jobs throws(StorageError) in
            try await jobs.list(state, type: type, limit: limit)
        }
        if json { return Output.json(["jobs": found.map(JobRow.init)]) }
        for job in found { Output.line(JobRow(job).line) }
        Output.line("\(found.count) jobs \(state.rawValue)")
    }
}

/// Shows one job.
struct ShowJobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "One job with its dead letter.")

    @Argument(help: "The job's id.", transform: JobsCommand.identifier) var id: UUID
    @Flag(help: "Print one JSON object.") var json = false

    mutating func run() async throws {
        let id = id
        guard let job = try await JobsCommand.use({ jobs throws(StorageError) in try await jobs.show(id) }) else {
            throw CommandFailure.failed("jobs show: there is no such job")
        }
        if json { return Output.json(JobRow(job)) }
        for (name, value) in JobRow(job).fields { Output.line("\(name)  \(value)") }
    }
}

/// Runs failed jobs again.
struct RetryJobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Runs a failed job again, or all failed ones of a type.",
        discussion: "The same row runs again under the same key: what it sent already is not sent twice.")

    @Argument(help: "The job's id.", transform: JobsCommand.identifier) var id: UUID?
    @Option(help: "All failed jobs of this type, at most 1000.") var type: String?
    @Flag(help: "Print one JSON object.") var json = false

    mutating func validate() throws {
        guard (id == nil) != (type == nil) else { throw ValidationError("name one job, or a type with --type") }
        if let type, JobType(rawValue: type.uppercased()) == nil { throw ValidationError("there is no type \(type)") }
    }

    mutating func run() async throws {
        let choice: JobOperations.Choice
        if let id {
            choice = .job(id)
        } else {
            guard let type = type.flatMap({ JobType(rawValue: $0.uppercased()) }) else {
                throw CommandFailure.unusable("jobs retry: there is no such type")
            }
            choice = .type(type)
        }
        let retried = try await JobsCommand.use { jobs throws(StorageError) in try await jobs.retry(choice) }
        for job in retried { JobsCommand.logChange("job_redriven", job) }
        if json {
            Output.json(["retried": retried.map { $0.uuidString.lowercased() }])
        } else {
            Output.line("\(retried.count) jobs run again")
        }
        if case .job = choice, retried.isEmpty {
            throw CommandFailure.failed("jobs retry: there is no such failed job")
        }
    }
}

/// Gives a failed job up.
struct DiscardJobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Gives a failed job up and deletes its dead letter.")

    @Argument(help: "The job's id.", transform: JobsCommand.identifier) var id: UUID
    @Flag(help: "Print one JSON object.") var json = false

    mutating func run() async throws {
        let id = id
        guard try await JobsCommand.use({ jobs throws(StorageError) in try await jobs.discard(id) }) else {
            throw CommandFailure.failed("jobs discard: there is no such failed job")
        }
        JobsCommand.logChange("job_discarded", id)
        let name = id.uuidString.lowercased()
        if json { Output.json(["discarded": name]) } else { Output.line("discarded \(name)") }
    }
}
