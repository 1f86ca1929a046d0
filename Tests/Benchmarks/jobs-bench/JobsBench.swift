import ArgumentParser
import Foundation
import HostStorage
import JobWorker

/// The worker's job engine with jobs that do nothing: leases, fencing, limits per user, fair share, log and metrics on.
///
/// `scripts/bench jobs` prepares the database and runs the references beside it. Prints one figure per line,
/// `name value`; the worker's log goes to standard error, as in the program.
@main
struct JobsBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs-bench", abstract: "Throughput and pick-up latency of the job engine.",
        subcommands: [Throughput.self, Latency.self])
}

struct BenchOptions: ParsableArguments {
    @Option(help: "The worker's URL of a migrated database.")
    var database: String
    @Option(help: "Jobs at once.")
    var concurrency = 16
    @Option(help: "Most jobs per claim.")
    var batch = 16

    func worker(_ handler: some JobHandler) throws -> BenchWorker {
        try BenchWorker(database: database, concurrency: concurrency, batch: batch, handler: handler)
    }
}

/// Runs what is due in the table to its end.
struct Throughput: AsyncParsableCommand {
    @OptionGroup var options: BenchOptions
    @Option(help: "Due jobs that are in the table.")
    var jobs: Int

    func run() async throws {
        let handler = CountingJob(expected: jobs)
        let worker = try options.worker(handler)
        try await worker.run { stores in
            let begin = ContinuousClock.now
            try await handler.wait()
            // The last ones are recorded when nothing runs any more.
            while try await stores.jobs.backlog().contains(where: { $0.running + $0.pendingDue > 0 }) {
                try await Task.sleep(for: .milliseconds(2))
            }
            figure("jobs_per_second", Double(jobs) / begin.duration(to: .now).seconds)
        }
    }
}

/// Enqueues at a rate and measures from before the insert to the start of the job's code.
struct Latency: AsyncParsableCommand {
    @OptionGroup var options: BenchOptions
    @Option(help: "Jobs per second, evenly spread.")
    var rate = 20
    @Option(help: "Jobs in all.")
    var jobs = 500
    @Option(help: "Users.")
    var users = 100

    func run() async throws {
        let handler = TimingJob()
        let worker = try options.worker(handler)
        try await worker.run { stores in
            var people: [UUID] = []
            for _ in 0..<users { people.append(try await worker.newUser()) }
            let begin = ContinuousClock.now
            try await withThrowingDiscardingTaskGroup { group in
                for number in 0..<jobs {
                    let (job, user) = (UUID(), people[number % users])
                    try await Task.sleep(until: begin + .seconds(Double(number) / Double(rate)))
                    group.addTask {
                        handler.enqueued(job)
                        _ = try await stores.jobs.enqueue(
                            NewJob(id: job, user: user, type: .testNotification, idempotencyKey: "bench:\(job)"))
                    }
                }
            }
            let delays = try await handler.delays(jobs)
            figure("p50_milliseconds", delays[jobs / 2])
            figure("p99_milliseconds", delays[jobs * 99 / 100])
            figure("max_milliseconds", delays[jobs - 1])
        }
    }
}

func figure(_ name: String, _ value: Double) {
    print(name, value.formatted(.number.precision(.fractionLength(2)).grouping(.never).locale(.init(identifier: "C"))))
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
