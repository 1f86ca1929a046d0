import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import LocalStack
import SimulatorKit
import Synchronization
import Testing

extension EndToEnd {
    /// A rotation of the data key as an operator makes it: three releases of the enclave, a command that re-seals.
    @Suite struct KeyRotationTests {
        static let rows = 1500

        /// With keys of its own, and in `remote` with keys that KMS gives to `enclave-runtime`.
        @Test(.timeLimit(.minutes(6)), arguments: [false, true])
        func threeReleasesRotateTheDataKeyBesideLiveTrafficAndKills(isRemote: Bool) async throws {
            let release1 = ["KMS_KEY_VERSION": "1", "KMS_DECRYPT_KEY_VERSIONS": "2"]
            let release2 = ["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": "1"]
            let limits = ["ENCLAVE_USER_GOOGLE_PER_MINUTE": "100000", "ENCLAVE_USER_OPENS_PER_MINUTE": "1000000"]
            try await withConnectedStack(
                isRemote ? "rotation-remote" : "rotation", release1.merging(limits) { $1 }, isRemote: isRemote
            ) { stack, control in
                let rotation = try await Rotation(stack)
                let jobs = try await rotation.sealJobs(Self.rows)
                #expect(try rotation.rows(.jobs, under: 1) >= Self.rows)
                #expect(try await rotation.command(["keys", "rewrap", "--to", "2"]) == 1, "1 is active")

                try await rotation.release(release2)
                #expect(try await rotation.command(["keys", "rewrap", "--to", "1"]) == 1, "2 is active")
                #expect(try await rotation.command(["keys", "rewrap", "--to", "2", "--dry-run"]) == 0)
                #expect(try rotation.rows(.jobs, under: 1) >= Self.rows, "nothing was written")
                try await rotation.besideTraffic(control) { () async throws in
                    for part in 1...3 { try await rotation.killRewrap(whenDone: Self.rows * part / 5) }
                    #expect(try await rotation.command(["keys", "rewrap", "--to", "2", "--resume"]) == 0)
                }
                #expect(try await rotation.command(["keys", "rewrap", "--to", "2"]) == 0)
                for table in SealedTable.allCases { #expect(try rotation.rows(table, under: 1) == 0, "\(table)") }
                #expect(try rotation.rows(.connectors, under: 2) == 1)
                #expect(try await rotation.opened(jobs) == jobs.count, "the dual-read window lost nothing")
                #expect(try await rotation.command(["keys", "retire", "1"]) == 1, "the enclave may still open it")

                try await rotation.release(["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": ""])
                #expect(try await rotation.opened(jobs) == jobs.count)
                try await InProcessHost.with(stack) { host async throws in
                    #expect(try await host.readCalendar() == 200)
                }
                #expect(
                    try await rotation.refusal(of: jobs[0]) == .keyPolicyMismatch, "sealed under 1, handed in again")
                #expect(try await rotation.command(["keys", "retire", "2"]) == 1)
                #expect(try await rotation.command(["keys", "retire", "1"]) == 0)
                #expect(try await rotation.command(["keys", "status", "--json"]) == 0)
                let states = try rotation.query(
                    "select key_version, state, lineage_mac is not null from alfred.wrapped_data_keys order by 1")
                #expect(states == "1|RETIRED|f\n2|ACTIVE|t")
            }
        }
    }
}

/// One job whose payload was sealed under the first version.
struct SealedJob: Sendable {
    let id: UUID
    let payload: [UInt8]
    let sealed: [UInt8]
}

/// What the operator and a worker do during a rotation.
struct Rotation: Sendable {
    let stack: LocalStack
    let environment: StackEnvironment
    let user: UserID

    init(_ stack: LocalStack) async throws {
        self.stack = stack
        environment = try #require(await stack.environment)
        let text = try Tool.psql("select user_id from alfred.connectors", environment)
        user = UserID(try #require(UUID(uuidString: text)))
    }

    func query(_ text: String) throws -> String { try Tool.psql(text, environment) }

    func rows(_ table: SealedTable, under version: Int) throws -> Int {
        let column = table.isThroughRecordPort ? "token_version" : "sealed_key_version"
        return Int(try query("select count(*) from alfred.\(table.rawValue) where \(column) = \(version)")) ?? -1
    }

    // MARK: The operator

    private func start(_ arguments: [String]) throws -> ManagedProcess {
        var variables = environment.operatorVariables
        variables["DATABASE_URL"] = environment.operatorDatabaseURL
        return try ManagedProcess(
            name: "alfredctl", executable: stack.settings.products.appending(path: "alfredctl"),
            arguments: arguments, environment: variables, folder: stack.settings.state,
            log: stack.settings.state.appending(path: "logs/alfredctl.log"))
    }

    /// Exit status of `alfredctl` with the operator's key and rights.
    func command(_ arguments: [String]) async throws -> Int32? {
        let process = try start(arguments)
        let status = await process.waitForExit(within: .seconds(90))
        if status == nil || status == 2 { Issue.record("\(arguments): \(process.logTail(5))") }
        return status
    }

    /// Starts a re-sealing and kills it once `count` jobs are under version 2.
    func killRewrap(whenDone count: Int) async throws {
        let process = try start(["keys", "rewrap", "--to", "2", "--resume", "--rate", "400"])
        _ = try await eventually("\(count) jobs re-sealed", within: .seconds(60)) {
            if let status = process.exitStatus { throw StackError("ended with \(status): \(process.logTail(5))") }
            return try rows(.jobs, under: 2) >= count ? true : nil
        }
        await process.kill9()
        #expect(try rows(.jobs, under: 1) > 0, "it was killed in the middle")
    }

    /// Puts an enclave with other versions in place of the one that runs.
    func release(_ versions: [String: String]) async throws {
        try await stack.process(.enclave).stop()
        try await stack.launch(.enclave, extra: versions)
        try await stack.ready(.enclave)
        guard stack.settings.isRemote else { return }
        _ = try await eventually("credentials handed over, keys unwrapped by KMS", within: .seconds(40)) {
            try await stack.challengeEnclave().status == "ok" ? true : nil
        }
    }

    // MARK: A worker

    private func asWorker<Answer: Sendable>(
        _ body: @escaping @Sendable (EnclaveClient) async throws -> Answer
    ) async throws -> Answer {
        let loaded = EnvironmentSource.load(
            process: .worker, environment: environment.variables(for: .worker),
            directory: stack.settings.state.path)
        let configuration = try WorkerServiceConfiguration(loaded)
        let pool = PostgresPool(
            PostgresConfiguration(
                url: environment.ownerDatabaseURL, maximumConnections: 2, connectTimeout: .seconds(5),
                statementTimeout: .seconds(10), usePreparedStatements: true, listenURL: "off"))
        defer { pool.shutdown() }
        let client = try EnclaveClient(
            configuration.enclave, configuration.attestation, role: .worker,
            repository: SealedRecordRepository(pool), metrics: MetricsRegistry(),
            log: HostLog(process: .tests, sink: LogSink { _ in }))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            defer { group.cancelAll() }
            return try await body(client)
        }
    }

    private func item(_ id: UUID, _ content: [UInt8]) -> DataItem {
        DataItem(purpose: .jobPayload, user: user, recordID: id.lowercased, content: content)
    }

    private func context() -> CallContext { CallContext(requestID: "rotation-\(UUID().lowercased)") }

    /// Finished jobs with sealed payloads, stored as the worker stores them.
    func sealJobs(_ count: Int) async throws -> [SealedJob] {
        let plain = (0..<count).map { (id: UUID(), payload: Array("payload \($0)".utf8)) }
        let jobs = try await asWorker { client async throws -> [SealedJob] in
            var jobs: [SealedJob] = []
            for start in stride(from: 0, to: count, by: 250) {
                let part = Array(plain[start..<min(start + 250, count)])
                let items = part.map { item($0.id, $0.payload) }
                let answer = try await client.seal(items, context: context())
                #expect(answer.keyVersion == 1)
                for (job, result) in zip(part, answer.results) {
                    jobs.append(SealedJob(id: job.id, payload: job.payload, sealed: try result.get()))
                }
            }
            return jobs
        }
        for start in stride(from: 0, to: count, by: 150) {
            let values = jobs[start..<min(start + 150, count)].map { job in
                let hex = job.sealed.map { String(format: "%02x", $0) }.joined()
                return
                    "('\(job.id)', '\(user.uuid)', 'MEETING_REMINDER', now(), 'DONE', '\\x\(hex)', 1, '\(job.id)', now())"
            }
            _ = try query(
                """
                insert into alfred.jobs (id, user_id, type, due_at, state, payload_ciphertext, sealed_key_version,
                    idempotency_key, finished_at) values \(values.joined(separator: ","))
                """)
        }
        return jobs
    }

    /// How many jobs open to what was put in, as they are stored now.
    func opened(_ jobs: [SealedJob]) async throws -> Int {
        let lines = try query("select id, encode(payload_ciphertext, 'hex') from alfred.jobs").split(separator: "\n")
        let stored = Dictionary(
            lines.compactMap { line -> (UUID, [UInt8])? in
                let parts = line.split(separator: "|")
                guard parts.count == 2, let id = UUID(uuidString: String(parts[0])) else { return nil }
                return (id, Self.bytes(parts[1]))
            }, uniquingKeysWith: { first, _ in first })
        return try await asWorker { client async throws -> Int in
            var count = 0
            for start in stride(from: 0, to: jobs.count, by: 250) {
                let part = Array(jobs[start..<min(start + 250, jobs.count)])
                let items = part.map { item($0.id, stored[$0.id] ?? []) }
                let answer = try await client.open(items, context: context())
                for (job, result) in zip(part, answer.results) where (try? result.get()) == job.payload { count += 1 }
            }
            return count
        }
    }

    /// Why a value sealed under the first version does not open; nil when it does.
    func refusal(of job: SealedJob) async throws -> EnclaveErrorCode? {
        try await asWorker { client async throws -> EnclaveErrorCode? in
            switch try await client.open([item(job.id, job.sealed)], context: context()).results.first {
            case .failure(let code): code
            default: nil
            }
        }
    }

    /// Runs `body` while tokens are refreshed, calendars read and values sealed and opened; none of that may fail.
    func besideTraffic(_ control: SimulatorControl, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let traffic = Traffic()
        try await InProcessHost.with(stack) { host async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !traffic.isOver {
                        try await control.expireAccessTokens()
                        #expect(try await host.readCalendar() == 200)
                        traffic.count()
                    }
                }
                group.addTask {
                    try await asWorker { client async throws in
                        while !traffic.isOver {
                            let id = UUID()
                            let sealed = try await client.seal(item(id, [1, 2, 3]), context: context()).sealed
                            #expect(try await client.open(item(id, sealed), context: context()) == [1, 2, 3])
                            traffic.count()
                        }
                    }
                }
                defer { traffic.end() }
                try await body()
                traffic.end()
                try await group.waitForAll()
            }
        }
        #expect(traffic.served > 10)
    }

    private static func bytes(_ hex: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = hex
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

/// What went on beside the rotation.
private final class Traffic: Sendable {
    private let state = Mutex((isOver: false, served: 0))

    var isOver: Bool { state.withLock { $0.isOver } }
    var served: Int { state.withLock { $0.served } }
    func count() { state.withLock { $0.served += 1 } }
    func end() { state.withLock { $0.isOver = true } }
}
