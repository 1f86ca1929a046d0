import Foundation
import HostRuntime
import Testing

@Suite struct ConfigurationTests {
    @Test func aLocalStartHasTheDefaults() throws {
        let api = try Start().api()
        #expect(api.general.environment == .local && api.general.logLevel == .info && api.general.logFormat == .json)
        #expect(api.general.metricsBindAddress?.port == 9464)
        #expect(api.api.requestTimeout == .seconds(45) && api.api.trustedProxies.isEmpty)
        #expect(api.storage.database.maximumConnections == 10)
        #expect(api.storage.redis.url.transport == .tcp(host: "127.0.0.1", port: 6379, tls: false))
        #expect(api.enclave.mode == .devShim && api.enclave.endpoint == .tcp(host: "127.0.0.1", port: 8181))
        #expect(api.enclave.clientKeyPath?.hasSuffix("/.local/keys/api.key") == true)
        #expect(api.attestation.allowedMeasurements.map(\.measurement) == ["dev-local-enclave"])
        #expect(api.attestation.kmsAllowedMeasurements == api.attestation.allowedMeasurements)
        #expect(api.attestation.publicKeys == [(1...32).map { UInt8($0) }])
        let worker = try Start().worker()
        #expect(worker.general.metricsBindAddress?.port == 9465)
        #expect(worker.storage.database.maximumConnections == 5)
        #expect(worker.push.direct == nil && worker.push.sandboxEndpoint == nil)
    }

    @Test func aProductionStartHasItsOwn() throws {
        let api = try Start.production().api()
        #expect(api.enclave.mode == .remote && api.attestation.environment == .production)
        #expect(api.attestation.allowedMeasurements.map(\.name) == ["v1"])
        #expect(api.attestation.allowedMeasurements.map(\.measurement) == [nitroMeasurement])
    }

    @Test func everyViolationIsReportedAtOnceAndNoValue() throws {
        let start = try Start([
            "CLERK_ISSUER": "canary", "API_MAX_CONNECTIONS": "canary", "REDIS_URL": "canary", "CLERK_AUDIENCE": nil,
            "DATABASE_URL": "canary",
        ])
        let violations = start.apiViolations()
        #expect(
            Set(violations.map(\.variable)) == [
                "CLERK_ISSUER", "API_MAX_CONNECTIONS", "REDIS_URL", "CLERK_AUDIENCE", "DATABASE_URL",
            ])
        let text = ConfigurationError(violations: violations).description
        #expect(text.split(separator: "\n").count == violations.count)
        #expect(!text.contains("canary"))
    }

    @Test(arguments: [
        "CLERK_ISSUER", "CLERK_AUDIENCE", "DATABASE_URL", "GOOGLE_OAUTH_REDIRECT_URI", "TEE_ATTESTATION_PUBLIC_KEY",
        "OPENROUTER_API_KEY",
    ])
    func aRequiredVariableIsRequired(name: String) throws {
        #expect(try Start([name: nil]).refused() == [name])
    }

    @Test(arguments: [
        ["OPENROUTER_CHAT_COMPLETIONS_URL": "http://127.0.0.1:1/x"], ["OPENROUTER_TOTAL_DEADLINE_MS": "14999"],
        ["LLM_BUDGET_HARD_MAX_COST_USD": "0.999999"], ["OPENROUTER_MODEL_PRIMARY": "a b"], ["OPENROUTER_ZDR": "maybe"],
        ["OPENROUTER_DATA_COLLECTION": "perhaps"], ["LLM_BUDGET_MAX_ESTIMATED_COST_USD": "0"],
        ["API_REQUEST_TIMEOUT_MS": "25000"], ["OPENROUTER_MAX_OUTPUT_TOKENS": "15"],
    ])
    func aWrongVariableOfTheGatewayIsRefused(change: [String: String]) throws {
        #expect(try Start(change.mapValues { $0 }).refused() == Set(change.keys))
    }

    @Test func theFallbackModelCanBeSwitchedOffAndBudgetsAreExactMicroDollars() throws {
        let off = try Start(["OPENROUTER_MODEL_FALLBACK": "none", "LLM_BUDGET_MAX_ESTIMATED_COST_USD": "0.29"]).api()
        #expect(off.llm.models == ["openai/gpt-4o-mini"] && off.reliability.budget == 290_000)
        let blank = try Start(["OPENROUTER_MODEL_FALLBACK": ""]).worker()
        #expect(blank.llm.models == ["openai/gpt-4o-mini", "anthropic/claude-3.5-haiku"])
        #expect(try Start(["OPENROUTER_MODEL_FALLBACK": "openai/gpt-4o-mini"]).api().llm.fallbackModel == nil)
        #expect(
            try Start.production(["OPENROUTER_ALLOW_INSECURE_HTTP": "true"]).refused() == [
                "OPENROUTER_ALLOW_INSECURE_HTTP"
            ])
    }

    @Test(arguments: [
        ("API_BIND_ADDR", "8080"), ("API_BIND_ADDR", "localhost:80"), ("API_BIND_ADDR", "1.2.3.4:65536"),
        ("API_BIND_ADDR", "off"), ("METRICS_BIND_ADDR", "of"), ("API_REQUEST_TIMEOUT_MS", "999"),
        ("API_REQUEST_TIMEOUT_MS", "+2000"), ("API_REQUEST_TIMEOUT_MS", "1e4"), ("API_MAX_CONNECTIONS", "15"),
        ("API_MAX_CONNECTIONS", "65537"), ("TRUSTED_PROXY_IPS", "10.0.0.0/0"), ("TRUSTED_PROXY_IPS", "10.0.0.1,x"),
        ("TRUSTED_PROXY_IPS", "::/0"), ("TRUSTED_PROXY_IPS", "10.0.0.0/33"),
        ("CLERK_ISSUER", "ftp://clerk.test"), ("CLERK_ISSUER", "https://user@clerk.test"),
        ("CLERK_ISSUER", "https://clerk.test?x=1"), ("CLERK_ISSUER", "https://clerk.test#x"),
        ("CLERK_ISSUER", "https://"),
        ("CLERK_ISSUER", "https://clerk.test/" + String(repeating: "x", count: 250)),
        ("CLERK_AUDIENCE", String(repeating: "x", count: 256)), ("CLERK_JWKS_TIMEOUT_MS", "99"),
        ("CLERK_AUTHORIZED_PARTIES", ","), ("DATABASE_URL", "mysql://x/y"), ("DATABASE_PREPARED_STATEMENTS", "maybe"),
        ("DATABASE_LISTEN_URL", "on"), ("REDIS_URL", "http://127.0.0.1"), ("REDIS_URL", "redis://127.0.0.1/x"),
        ("REDIS_DOWN_LOCAL_QUOTA_PERCENT", "101"), ("LOG_LEVEL", "trace"), ("LOG_FORMAT", "xml"),
        ("ENCLAVE_RUNTIME_MODE", "shim"), ("ENCLAVE_RUNTIME_BASE_URL", "https://127.0.0.1:1"),
        ("ENCLAVE_RUNTIME_BASE_URL", "tcp://127.0.0.1:1/path"), ("ENCLAVE_RUNTIME_BASE_URL", "vsock://x:1"),
        ("ENCLAVE_RUNTIME_BASE_URL", "unix://relative"), ("ENCLAVE_RUNTIME_BASE_URL", "tcp://::1:80"),
        ("ENCLAVE_RPC_CLIENT_KEY_PATH", "missing.key"), ("ENCLAVE_RPC_SESSIONS", "17"),
        ("TEE_EXPECTED_RUNTIME", "a b"), ("TEE_ALLOWED_MEASUREMENTS", "a b"), ("TEE_ALLOWED_MEASUREMENTS", "@x"),
        ("TEE_ATTESTATION_PUBLIC_KEY", "AAAA"), ("TEE_ATTESTATION_MAX_AGE_SECONDS", "0"),
        ("EGRESS_CA_FILE", "host.key"), ("EGRESS_CA_FILE", "missing.pem"),
        ("WORKER_LEASE_SECONDS", "2"), ("WORKER_RETRY_MAX_DELAY_SECONDS", "29"), ("SCHEDULES_ENABLED", "2"),
        ("APNS_KEY_ID", "short"), ("APNS_TIMEOUT_MS", "12001"), ("APNS_SANDBOX_ENDPOINT", "apns.test"),
        ("APNS_DIRECT_SANDBOX_URL", "http://apns.test"),
    ])
    func refusesABadValue(name: String, value: String) throws {
        #expect(try Start([name: value]).refused().contains(name))
    }

    @Test(arguments: [
        ("API_BIND_ADDR", "0.0.0.0:0"), ("API_BIND_ADDR", "[::1]:8080"), ("METRICS_BIND_ADDR", "off"),
        ("TRUSTED_PROXY_IPS", "10.0.0.0/8, ::1, fd00::/8"), ("CLERK_JWKS_URL", "http://127.0.0.1:1/keys?x=1"),
        ("DATABASE_URL", "postgresql:///alfred?host=/run/postgresql"), ("DATABASE_LISTEN_URL", "off"),
        ("REDIS_URL", "unix:///run/redis.sock?db=3"), ("REDIS_URL", "rediss://u:p@redis.test"),
        ("ENCLAVE_RUNTIME_BASE_URL", "vsock://16:5000"), ("ENCLAVE_RUNTIME_BASE_URL", "unix:///run/enclave.sock"),
        ("ENCLAVE_RUNTIME_BASE_URL", "tcp://[::1]:8181"), ("TEE_ALLOWED_MEASUREMENTS", "v1@a:1,b"),
        ("TEE_ATTESTATION_PUBLIC_KEY", "\(keyText),\(otherKeyText)"), ("SCHEDULES_ENABLED", "OFF"),
        ("LOG_LEVEL", "debug"), ("LOG_FORMAT", "text"), ("TEE_ATTESTATION_REQUIRED", "No"),
    ])
    func acceptsAGoodValue(name: String, value: String) throws {
        #expect(try Start([name: value]).refused() == [])
    }

    @Test(arguments: [
        ("LOG_LEVEL", "debug"), ("LOG_FORMAT", "text"), ("EGRESS_CA_FILE", "host.key"),
        ("CLERK_ISSUER", "http://clerk.test"), ("CLERK_JWKS_URL", "http://clerk.test/keys"),
        ("GOOGLE_OAUTH_REDIRECT_URI", "http://api.test/oauth/google/callback"),
        ("DATABASE_URL", "postgres://db.test/alfred"), ("DATABASE_URL", "postgres://db.test/alfred?sslmode=require"),
        ("DATABASE_URL", "postgres://127.0.0.1,db.test/alfred"), ("DATABASE_URL", "postgres:///alfred"),
        ("DATABASE_URL", "postgres://127.0.0.1/alfred?service=x"),
        ("DATABASE_URL", "postgres:///a?host=/run&host=db.test"),
        ("DATABASE_URL", "postgres://127.0.0.1/alfred?hostaddr=192.0.2.1"),
        ("DATABASE_LISTEN_URL", "postgres://db.test/alfred"), ("REDIS_URL", "redis://redis.test"),
        ("ENCLAVE_RUNTIME_MODE", "dev-shim"), ("ENCLAVE_RUNTIME_MODE", "disabled"),
        ("TEE_ATTESTATION_REQUIRED", "off"), ("TEE_ALLOW_INSECURE_DEV_ATTESTATION", "1"),
        ("TEE_EXPECTED_RUNTIME", "dev"), ("TEE_ALLOWED_MEASUREMENTS", "dev-local-enclave"),
        ("TEE_ALLOWED_MEASUREMENTS", "v1@dev-local-enclave"), ("TEE_ALLOWED_MEASUREMENTS", "x"),
        ("KMS_ALLOWED_MEASUREMENTS", "dev-local-enclave"), ("TEE_NITRO_ROOT_CERT_PATH", "root.pem"),
        ("TEE_ALLOWED_MEASUREMENTS", "pcr0=" + String(repeating: "0", count: 96) + "+pcr1=x+pcr2=y"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1"), ("APNS_SANDBOX_ENDPOINT", "http://apns.test"),
        ("APNS_DIRECT_PRODUCTION_URL", "https://apns.test"),
    ])
    func refusesOutsideLocal(name: String, value: String) throws {
        #expect(try Start.production([name: value]).refused() == [name])
    }

    @Test(arguments: ["TEE_ALLOWED_MEASUREMENTS", "ENCLAVE_RPC_CLIENT_KEY_PATH"])
    func requiresOutsideLocal(name: String) throws {
        #expect(try Start.production([name: nil]).refused() == [name])
    }

    @Test(arguments: [
        ("DATABASE_URL", "postgres:///alfred?host=%2Frun%2Fpostgresql"),
        ("DATABASE_URL", "postgres://[::1]:5432/alfred"),
        ("REDIS_URL", "redis://127.0.0.1"), ("REDIS_URL", "unix:///run/redis.sock"),
        ("TEE_ATTESTATION_REQUIRED", "yes"),
        ("APNS_DIRECT_SANDBOX_URL", "https://api.sandbox.push.apple.com/"), ("LOG_LEVEL", "warn"),
    ])
    func acceptsOutsideLocal(name: String, value: String) throws {
        #expect(try Start.production([name: value]).refused() == [])
    }
}

@Suite struct ExitTests {
    @Test func violationsEndTheProcessWithStatusTwoAndOneLineEach() async throws {
        let result = await #expect(processExitsWith: .exitCode(2), observing: [\.standardErrorContent]) {
            ConfigurationError(violations: [
                ConfigurationViolation("ONE", "is required"), ConfigurationViolation("TWO", "must be a URL"),
            ]).exitProcess()
        }
        let text = try String(decoding: #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("ONE: is required\nTWO: must be a URL\n"))
    }
}
