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
        private static let sender = PushSender(topic: "com.alfred.ios")

        /// Half of the phones are reached through APNs over HTTP/2, the others through the endpoint.
        @Test(.timeLimit(.minutes(40))) func eachDeviceHearsOfEachJobOnceWhateverDies() async throws {
            let seed = ManyJobsSeed(jobs: Self.jobs, users: max(20, Self.jobs / 50), spread: max(4, Self.jobs / 200))
            let quick = [
                "WORKER_LEASE_SECONDS": "5", "WORKER_TICK_SECONDS": "1", "WORKER_RETRY_BASE_DELAY_SECONDS": "1",
                "WORKER_RETRY_MAX_DELAY_SECONDS": "3", "SCHEDULES_ENABLED": "false",
                "ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "60", "ENCLAVE_USER_OPENS_PER_MINUTE": "100000",
            ]
            let settings: (inout StackSettings) -> Void = {
                $0.overrides = quick
                $0.directPush = Self.sender
            }
            try await withPreparedStack("job-chaos", settings) { stack in
                try await stack.start(.simulators)
                try await stack.start(.enclave)
                let control = try await stack.control
                try await control.setProvider(Self.sender.provider)
                try await seed.load(stack)
                let phones = JobChaosPhones(seed)
                try await phones.tell(control)
                let chaos = JobChaos(stack, workers: Self.workers)
                for worker in Self.workers { try await chaos.launch(worker) }
                let time = Duration.seconds(seed.spread + 3)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await chaos.kill(for: time) }
                    group.addTask { try await JobChaosFaults.sow(control, for: time) }
                    try await group.waitForAll()
                }
                try await chaos.waitUntilNothingIsLeft(within: .seconds(60 + Self.jobs / 25))
                try await JobChaosVerdict(stack, seed: seed, phones: phones).check(try await control.deliveries())
                let pushes = try await control.calls().filter { [.devicePush, .endpointPush].contains($0.call) }
                print(
                    "note: \(chaos.deaths) kills, of workers, enclave, Postgres and Redis; calls of the push service: "
                        + pushes.map { "\($0.call.rawValue) \($0.arrived)" }.joined(separator: ", "))
            }
        }
    }
}
