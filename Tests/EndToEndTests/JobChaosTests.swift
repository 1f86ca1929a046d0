import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// Many due jobs, four workers, and everything they stand on killed again and again.
    @Suite struct JobChaosTests {
        /// `scripts/chaos jobs` sets more.
        static let jobs = Int(ProcessInfo.processInfo.environment["ALFRED_CHAOS_JOBS"] ?? "") ?? 300
        static let workers = (0..<4).map { "worker-\($0)" }

        @Test(.timeLimit(.minutes(30))) func eachDeviceHearsOfEachJobOnceWhateverDies() async throws {
            let seed = ManyJobsSeed(jobs: Self.jobs, users: max(20, Self.jobs / 50), spread: max(5, Self.jobs / 200))
            let quick = [
                "WORKER_LEASE_SECONDS": "5", "WORKER_TICK_SECONDS": "1", "WORKER_RETRY_BASE_DELAY_SECONDS": "1",
                "WORKER_RETRY_MAX_DELAY_SECONDS": "3", "SCHEDULES_ENABLED": "false",
                "ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "60", "ENCLAVE_USER_OPENS_PER_MINUTE": "100000",
            ]
            try await withPreparedStack("job-chaos", { $0.overrides = quick }) { stack in
                try await stack.start(.simulators)
                try await stack.start(.enclave)
                let control = try await stack.control
                try await seed.load(stack)
                let gone = try await Self.throwPhonesAway(seed, control)
                let chaos = JobChaos(stack, workers: Self.workers)
                for worker in Self.workers { try await chaos.launch(worker) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await chaos.kill(for: .seconds(seed.spread + 4)) }
                    group.addTask { try await Self.sow(control, for: .seconds(seed.spread + 4)) }
                    try await group.waitForAll()
                }
                try await chaos.waitUntilNothingIsLeft(within: .seconds(60 + Self.jobs / 40))
                try await JobChaosVerdict(stack, seed: seed, gone: gone).check(try await control.deliveries())
                print("note: \(chaos.deaths) kills, of workers, enclave, Postgres and Redis")
            }
        }

        /// Every fiftieth phone was deleted from its owner's life: APNs says 410.
        private static func throwPhonesAway(
            _ seed: ManyJobsSeed, _ control: SimulatorControl
        ) async throws -> Set<String> {
            let gone = Set(stride(from: 7, to: seed.users, by: 50).map { ManyJobsSeed.token($0, 0) })
            let since = Int(Date().timeIntervalSince1970 * 1000) + 1000
            for token in gone { try await control.setDevice(token, .unregistered(sinceUnixMilliseconds: since)) }
            return gone
        }

        /// Faults of the push service, a few calls each, one after the other.
        private static func sow(_ control: SimulatorControl, for time: Duration) async throws {
            let end = ContinuousClock.now + time
            while ContinuousClock.now < end {
                let (effect, moment) = faults.randomElement() ?? (nil, .before)
                try await control.setFault(
                    Fault(
                        call, latencyMilliseconds: .random(in: 0...50), effect: effect, moment: moment,
                        times: .random(in: 1...6)))
                try await Task.sleep(for: .milliseconds(.random(in: 100...500)))
            }
            try await control.clearFaults()
        }

        private static let call = ProviderCall.endpointPush
        private static let faults: [(Fault.Effect?, Fault.Moment)] = [
            (.status(code: 429, retryAfterSeconds: 1), .before), (.status(code: 503), .before),
            (.status(code: 500), .afterwards), (.reset, .before), (.reset, .afterwards), (nil, .before),
        ]
    }
}
