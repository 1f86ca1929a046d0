import EnclaveProtocol
import Foundation
import HostProcess
import HostRuntime
import LLMGateway
@testable import HostStorage
import Testing

@testable import APIServer

/// The servers the tests run on; `scripts/test` starts them.
struct MissingServer: Error, CustomStringConvertible {
    let description = "TEST_DATABASE_URL and TEST_REDIS_URL must name running servers; scripts/test starts them"
}

/// A migrated database of this run, and a Redis connection: shared by the tests, who use users of their own.
struct TestStores: Sendable {
    let configuration: PostgresConfiguration
    let pool: PostgresPool
    let redis: RedisConnection

    static let shared = Task { () async throws -> TestStores in
        let environment = ProcessInfo.processInfo.environment
        guard let server = environment["TEST_DATABASE_URL"], let redis = environment["TEST_REDIS_URL"],
            var parts = URLComponents(string: server)
        else { throw MissingServer() }
        let name = "alfred_api_test_\(ProcessInfo.processInfo.processIdentifier)"
        parts.path = "/postgres"
        let administration = PostgresPool(PostgresConfiguration(url: parts.string ?? "", maximumConnections: 2))
        _ = try await administration.query(.write("drop database if exists \(name) with (force)"))
        _ = try await administration.query(.write("create database \(name)"))
        administration.shutdown()
        parts.path = "/\(name)"
        let configuration = PostgresConfiguration(url: parts.string ?? "")
        _ = try await Migrator(configuration).migrate()
        return TestStores(
            configuration: configuration, pool: PostgresPool(configuration),
            redis: try RedisConnection(RedisOptions(url: redis, timeout: .seconds(5))))
    }
}

/// One running API with a fake enclave, a made-up identity provider and real stores.
struct TestServer: Sendable {
    let port: Int
    let key: TestKey
    let enclave: FakeEnclave
    let pool: PostgresPool
    let lines: LineBuffer
    let accounts: AccountGate
    let metrics: MetricsRegistry

    struct Answer: Sendable {
        let status: Int
        let headers: [String: String]
        let body: String

        /// A member of the answer's object, as text.
        func text(_ name: String) -> String? {
            let object = try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            return object?[name] as? String
        }

        /// The code of an error answer.
        var code: String? {
            let object = try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            return (object?["error"] as? [String: Any])?["code"] as? String
        }
    }

    /// Making a key takes long, so all servers share one.
    private static let signingKey = Task { try TestKey(id: "test-key") }
    static let issuer = "https://clerk.alfred.test/"
    static let redirectURI = "https://api.alfred.test/oauth/google/callback"

    static func configuration(_ changes: [String: String] = [:]) throws -> APIConfiguration {
        let loaded = EnvironmentSource.load(
            process: .api,
            environment: [
                "API_BIND_ADDR": "127.0.0.1:0", "CLERK_ISSUER": issuer, "CLERK_AUDIENCE": "alfred",
                "GOOGLE_OAUTH_REDIRECT_URI": redirectURI, "ALFRED_ENV": "local", "TRUSTED_PROXY_IPS": "127.0.0.1",
            ].merging(changes) { _, new in new }, directory: NSTemporaryDirectory())
        var reader = ConfigurationReader(loaded)
        let configuration = APIConfiguration(reading: &reader)
        try reader.finish()
        return configuration
    }

    /// Runs an API; with `own` it has a pool of its own, as another process would. `redis` nil is the shared one.
    static func run(
        ownPool own: Bool = false, enclave sharedEnclave: FakeEnclave? = nil, redis: RedisConnection? = nil,
        changes: [String: String] = [:], model: (any LanguageModel)? = nil,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let stores = try await TestStores.shared.value
        let pool = own ? PostgresPool(stores.configuration) : stores.pool
        let (key, lines) = (try await signingKey.value, LineBuffer())
        let enclave = sharedEnclave ?? FakeEnclave(stores.pool)
        let configuration = try configuration(changes)
        let metrics = MetricsRegistry()
        let accounts = AccountGate(UserRepository(pool))
        let keys = KeyDirectory(
            source: ScriptedKeySource(
                .success(FetchedKeySet(json: TestKey.set([try key.jwk()]), maximumAge: nil))),
            sharing: MemorySharing(), rules: KeyDirectoryRules(configuration.clerk), metrics: metrics,
            log: lines.log(), now: { Int(wallClock()) })
        let dependencies = APIDependencies(
            configuration: configuration, maximumEvidenceAgeSeconds: 300, log: lines.log(), metrics: metrics,
            repositories: APIDependencies.Repositories(pool), enclave: enclave,
            brain: ModelBrain(runner: CapabilityRunner(model: model, metrics: metrics)),
            limiter: SharedLimits(SlidingWindowLimiter(redis ?? stores.redis, localPercent: 25), metrics: metrics),
            keys: keys,
            accounts: accounts, readiness: Readiness([]))
        try await withListener({ buildAPI(dependencies, onListening: $0) }) { port in
            try await body(
                TestServer(
                    port: port, key: key, enclave: enclave, pool: pool, lines: lines, accounts: accounts,
                    metrics: metrics))
        }
        // Whatever a test asked: nothing but what the route table promises was answered.
        #expect(lines.lines.filter { $0.contains("undeclared_error") } == [])
        if own { pool.shutdown() }
    }

    /// A user nobody else has, with a token.
    func signIn() throws -> (user: UserID, token: String) {
        let subject = "user_\(UUID().uuidString)"
        return (
            UserIdentity.userID(issuer: Self.issuer, subject: subject),
            try key.sign(claims: TestKey.claims(["sub": "\"\(subject)\""]))
        )
    }

    func send(
        _ method: String, _ path: String, token: String? = nil, json: String? = nil, headers: [String] = []
    ) async throws -> Answer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n"
        // Each test has an address of its own, so that unauthenticated limits do not meet.
        if !headers.contains(where: { $0.hasPrefix("X-Forwarded-For") }) { head += "X-Forwarded-For: \(address)\r\n" }
        for header in headers { head += header + "\r\n" }
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        if let json { head += "Content-Type: application/json\r\nContent-Length: \(json.utf8.count)\r\n" }
        let text = try await RawClient.exchange(port, head + "\r\n" + (json ?? ""))
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\r\n")
        let status = try #require(lines.first.flatMap { Int($0.split(separator: " ")[1]) })
        let pairs = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (line[..<colon].lowercased(), line[colon...].dropFirst().trimmingCharacters(in: .whitespaces))
        }
        return Answer(
            status: status, headers: Dictionary(pairs) { first, _ in first },
            body: parts.count == 2 ? String(parts[1]) : "")
    }

    private var address: String { "10.\(port >> 8).\(port & 255).\(ProcessInfo.processInfo.processIdentifier & 255)" }

    func count(_ table: String, _ user: UserID) async throws -> Int {
        try await pool.query(.read("select count(*) from \(table) user_id = $1"), [.uuid(user.uuid)]).required().int(0)
    }
}
