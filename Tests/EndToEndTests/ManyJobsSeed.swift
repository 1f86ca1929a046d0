import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import LocalStack

/// Users, devices and due jobs, written straight into the tables as the API would have written them.
struct ManyJobsSeed {
    let jobs: Int
    let users: Int
    /// Over how long the jobs fall due, seconds.
    let spread: Int

    /// Every third user has two phones.
    func devices(of user: Int) -> Int { user % 3 == 0 ? 2 : 1 }
    static func token(_ user: Int, _ device: Int) -> String { String(format: "%056x%08x", user + 1, device + 1) }
    /// Half of the phones, in turn, are served by APNs itself, the others by the endpoint.
    static func isDirect(_ user: Int, _ device: Int) -> Bool { (user + device) % 2 == 1 }
    static func id(_ user: Int) -> UUID {
        UUID(
            uuid: (
                UInt8(user >> 16 & 255), UInt8(user >> 8 & 255), UInt8(user & 255), 0, 0, 0, 64, 0, 128, 0, 0, 0, 0, 0,
                0, 0
            ))
    }
    static func text(_ job: Int) -> String { "Job \(job)" }

    /// Seals and loads everything; the first job is due when this returns, by the database's clock.
    func load(_ stack: LocalStack) async throws {
        guard let environment = await stack.environment else { throw StackError("the local system is not prepared") }
        let loaded = EnvironmentSource.load(
            process: .api, environment: environment.variables(for: .api), directory: stack.settings.state.path)
        let configuration = try APIServerConfiguration(loaded)
        let pool = PostgresPool(PostgresConfiguration(url: environment.ownerDatabaseURL, listenURL: "off"))
        let client = try EnclaveClient(
            configuration.enclave, configuration.attestation, role: .api, repository: SealedRecordRepository(pool),
            metrics: MetricsRegistry(), log: HostLog(process: .tests, sink: LogSink { _ in }))
        let file = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            defer { group.cancelAll() }
            return try await sealed(client, in: stack.settings.state)
        }
        pool.shutdown()
        _ = try Tool.output(
            "psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", environment.ownerDatabaseURL, "-f", file.path])
        try FileManager.default.removeItem(at: file)
    }

    private func sealed(_ client: EnclaveClient, in folder: URL) async throws -> URL {
        let phones = (0..<users).flatMap { user in (0..<devices(of: user)).map { (user, $0) } }
        let tokens = try await seal(phones, client) { user, device in
            DataItem(
                purpose: .deviceAPNsToken, user: UserID(Self.id(user)), recordID: "phone-\(device)",
                content: Array(Self.token(user, device).utf8))
        }
        let ids = (0..<jobs).map { _ in UUID() }
        let payloads = try await seal((0..<jobs).map { ($0, 0) }, client) { job, _ in
            DataItem(
                purpose: .jobPayload, user: UserID(Self.id(job % users)), recordID: ids[job].lowercased,
                content: Array(#"{"title":"Chaos","body":"\#(Self.text(job))"}"#.utf8))
        }
        var lines = ["begin;", "copy alfred.users (id) from stdin;"]
        lines += (0..<users).map { Self.id($0).lowercased }
        lines += [
            "\\.",
            """
            create temporary table phones (
                user_id uuid, name text, token text, environment text, sealed bytea, version int) on commit drop;
            copy phones from stdin;
            """,
        ]
        lines += zip(phones, tokens).map { phone, sealed in
            let token = Self.token(phone.0, phone.1)
            let environment = Self.isDirect(phone.0, phone.1) ? "production" : "sandbox"
            return [
                Self.id(phone.0).lowercased, "phone-\(phone.1)", token, environment, sealed.hex, "\(sealed.version)",
            ].joined(separator: "\t")
        }
        lines += [
            "\\.",
            """
            insert into alfred.devices (user_id, device_identifier, apns_token_ciphertext, apns_token_sha256,
                sealed_key_version, environment)
            select user_id, name, sealed, sha256(convert_to(token, 'UTF8')), version, environment from phones;
            create temporary table due (
                id uuid, user_id uuid, number int, sealed bytea, version int) on commit drop;
            copy due from stdin;
            """,
        ]
        lines += (0..<jobs).map { job in
            let sealed = payloads[job]
            return
                "\(ids[job].lowercased)\t\(Self.id(job % users).lowercased)\t\(job)\t\(sealed.hex)\t\(sealed.version)"
        }
        lines += [
            "\\.",
            """
            select clock_timestamp() + interval '\(5 + jobs / 2500) s' as first \\gset
            insert into alfred.jobs (
                id, user_id, type, due_at, created_at, idempotency_key, payload_ciphertext, sealed_key_version)
            select id, user_id, 'TEST_NOTIFICATION', at, at, 'chaos:' || number, sealed, version
            from due, lateral (select :'first'::timestamptz + number * interval '\(spread) s' / \(jobs) as at) a
            order by number;
            commit;
            """,
        ]
        let file = folder.appending(path: "seed.sql")
        try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    private func seal(
        _ things: [(Int, Int)], _ client: EnclaveClient, _ item: (Int, Int) -> DataItem
    ) async throws -> [(hex: String, version: UInt32)] {
        var all: [(hex: String, version: UInt32)] = []
        for start in stride(from: 0, to: things.count, by: Limits.maximumSealItems) {
            let items = things[start..<min(start + Limits.maximumSealItems, things.count)].map(item)
            let answer = try await client.seal(items, context: CallContext(requestID: "seed-\(start)"))
            all += try answer.results.map {
                ("\\\\x" + Data(try $0.get()).map { String(format: "%02x", $0) }.joined(), answer.keyVersion)
            }
        }
        return all
    }
}
