import Foundation
import LocalStack
import Synchronization

/// Kills workers and what they stand on, and starts each again.
final class JobChaos: Sendable {
    private let stack: LocalStack
    private let workers: [String]
    private let count = Atomic(0)

    init(_ stack: LocalStack, workers: [String]) {
        self.stack = stack
        self.workers = workers
    }

    var deaths: Int { count.load(ordering: .relaxed) }

    /// Each worker has its own port for metrics, one that the system picks; the sandbox' phones are behind the endpoint.
    func launch(_ worker: String) async throws {
        let endpoint = "https://localhost:\(try await stack.known.ports.apns)/push"
        try await stack.launch(
            .worker, name: worker,
            extra: [
                "METRICS_BIND_ADDR": "127.0.0.1:\(Ports.free())", "APNS_SANDBOX_ENDPOINT": endpoint,
                "APNS_AUTH_TOKEN": "chaos-push-bearer",
            ])
    }

    /// Kills until `time` is over, and at least one of each.
    func kill(for time: Duration) async throws {
        let end = ContinuousClock.now + time
        repeat {
            // Of five deaths two are of workers.
            for victim in (workers.shuffled().prefix(2) + ["enclave", "postgres", "redis"]).shuffled() {
                try await kill(victim)
                count.add(1, ordering: .relaxed)
                try await Task.sleep(for: .milliseconds(.random(in: 200...1800)))
                try await revive()
            }
        } while ContinuousClock.now < end
    }

    private func kill(_ victim: String) async throws {
        switch victim {
        case "enclave":
            try await stack.kill9(.enclave)
            try await stack.launch(.enclave)
        case "postgres", "redis":
            try await stack.infra("kill-\(victim)")
            try await stack.infra("start-\(victim)")
        default:
            try await stack.process(victim).kill9()
            try await launch(victim)
        }
    }

    /// What did not survive a start without its neighbours is started again, as a supervisor would.
    private func revive() async throws {
        if try await !stack.process(.enclave).isRunning { try await stack.launch(.enclave) }
        for worker in workers where try await !stack.process(worker).isRunning { try await launch(worker) }
    }

    func waitUntilNothingIsLeft(within limit: Duration) async throws {
        let environment = try await stack.known
        _ = try await eventually("no job or push is left", within: limit) { () -> Bool? in
            try await revive()
            let left = try Tool.psql(
                """
                select (select count(*) from alfred.jobs where state in ('PENDING', 'RUNNING'))
                    + (select count(*) from alfred.push_outbox where state in ('SENDING', 'PENDING'))
                """, environment)
            if left == "0" { return true }
            try await Task.sleep(for: .milliseconds(200))
            return nil
        }
    }
}

extension LocalStack {
    /// The environment of a prepared system.
    var known: StackEnvironment {
        get throws {
            guard let environment else { throw StackError("the local system is not prepared") }
            return environment
        }
    }
}
