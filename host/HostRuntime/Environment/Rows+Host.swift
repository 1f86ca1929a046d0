private let https: Set<String> = ["https"]
private let web: Set<String> = ["http", "https"]

extension EnvironmentCatalogue {
    static let generalRows: [EnvironmentVariable] = [
        row(
            "ALFRED_ENV", .general, [.api, .worker, .enclave, .operator, .evaluation], .value("local"),
            .choice(["local", "staging", "production"]), meaning: "which set of rules holds; stated in the evidence"),
        row(
            "LOG_LEVEL", .general, [.api, .worker, .enclave, .operator, .evaluation], .value("info"),
            .choice(["error", "warn", "info", "debug"]), .not("debug"), meaning: "log threshold"),
        row(
            "LOG_FORMAT", .general, [.api, .worker, .enclave, .operator], .value("json"), .choice(["json", "text"]),
            .only("json"), meaning: "log lines as JSON or as text for people"),
        row(
            "METRICS_BIND_ADDR", .general, [.api, .worker],
            .each([.api: "127.0.0.1:9464", .worker: "127.0.0.1:9465"]), .socketAddress(orOff: true),
            meaning: "listener of /metrics, /healthz and /readyz, or off"),
        row(
            "SHUTDOWN_DRAIN_SECONDS", .general, .api, .value("20"), .integer(1...120),
            meaning: "longest wait for requests in flight at shutdown"),
        row(
            "EGRESS_CA_FILE", .general, [.api, .worker, .enclave, .operator, .evaluation], .unset("public roots"),
            .form("a readable file with at least one PEM certificate"), .refused,
            meaning: "PEM file of roots used instead of the public ones for outgoing TLS"),
    ]

    static let apiRows: [EnvironmentVariable] = [
        row(
            "API_BIND_ADDR", .api, .api, .value("127.0.0.1:8080"), .socketAddress(orOff: false),
            meaning: "public listener"),
        row(
            "API_REQUEST_TIMEOUT_MS", .api, .api, .value("45000"), .integer(1000...120_000),
            meaning: "longest request; more than OPENROUTER_TOTAL_DEADLINE_MS"),
        row(
            "API_MAX_CONNECTIONS", .api, .api, .value("4096"), .integer(16...65536), meaning: "open client connections"),
        row(
            "TRUSTED_PROXY_IPS", .api, .api, .unset("none"),
            .form("addresses or CIDR blocks, at most 256, none of them /0"),
            meaning: "peers that may supply forwarded client addresses"),
        row(
            "OAUTH_STATE_TTL_SECONDS", .api, .api, .value("600"), .integer(60...3600), meaning: "life of an OAuth state"
        ),
        row(
            "CLERK_ISSUER", .api, .api, .required, .url(schemes: web, query: false), .https,
            meaning: "expected iss, base of the user id and of the key URL; at most 255 characters"),
        row("CLERK_AUDIENCE", .api, .api, .required, .text(1...255, .printable), meaning: "expected aud"),
        row(
            "CLERK_AUTHORIZED_PARTIES", .api, .api, .unset("not checked"), .csv(maximum: 32), meaning: "allowed azp"),
        row(
            "CLERK_JWKS_URL", .api, .api, .unset("issuer + /.well-known/jwks.json"), .url(schemes: web, query: true),
            .https, meaning: "key set"),
        row(
            "CLERK_BACKEND_API_URL", .api, .api, .unset("none"), .url(schemes: web, query: false), .https,
            meaning: "when set and CLERK_JWKS_URL is not: key set at this + /jwks, with the secret key"),
        row(
            "CLERK_SECRET_KEY", .api, .api, .unset("none"), .text(1...4096, .visible), secrecy: .value,
            meaning: "bearer for CLERK_BACKEND_API_URL, used for nothing else"),
        row(
            "CLERK_JWKS_CACHE_KEY", .api, .api, .value("alfred:clerk:jwks:v1"), .text(1...128, .printable),
            meaning: "Redis key of the key set"),
        row(
            "CLERK_JWKS_CACHE_DEFAULT_TTL_SECONDS", .api, .api, .value("300"), .integer(1...86400),
            meaning: "fresh time without max-age; effective 60 to 3600"),
        row(
            "CLERK_JWKS_CACHE_STALE_TTL_SECONDS", .api, .api, .value("300"), .integer(1...86400),
            meaning: "extra time a stale set may serve when fetching fails"),
        row(
            "CLERK_JWKS_MIN_REFRESH_SECONDS", .api, .api, .value("10"), .integer(1...300),
            meaning: "least time between fetch attempts"),
        row(
            "CLERK_JWKS_NEGATIVE_TTL_SECONDS", .api, .api, .value("60"), .integer(1...3600),
            meaning: "how long an unknown kid is remembered"),
        row("CLERK_JWKS_TIMEOUT_MS", .api, .api, .value("3000"), .integer(100...15000), meaning: "fetch timeout"),
        row(
            "CLERK_VERIFIED_TOKENS", .api, .api, .value("10000"), .integer(0...100_000),
            meaning: "tokens whose signature is remembered, every other rule being checked at each request; 0: none"),
    ]

    static let storageRows: [EnvironmentVariable] = [
        row(
            "DATABASE_URL", .storage, .clients, .required, .form("a postgres:// or postgresql:// URL"),
            .checked("sslmode=verify-full, a Unix socket, or loopback"), secrecy: .value,
            meaning: "Postgres, each process with its own role; alfredctl migrate with the owner's"),
        row(
            "DATABASE_MAX_CONNECTIONS", .storage, .clients, .each([.api: "10", .worker: "5", .operator: "2"]),
            .integer(1...500), meaning: "pool size, the LISTEN connection and the two of the record port not counted"),
        row(
            "DATABASE_LISTEN_URL", .storage, [.api, .worker], .unset("DATABASE_URL"),
            .form("a postgres:// or postgresql:// URL, or off"),
            .checked("sslmode=verify-full, a Unix socket, or loopback"), secrecy: .value,
            meaning: "connection for LISTEN when a transaction pooler is in front; off = poll only"),
        row(
            "DATABASE_CONNECT_TIMEOUT_MS", .storage, .clients, .value("5000"), .integer(100...60000),
            meaning: "connect timeout"),
        row(
            "DATABASE_STATEMENT_TIMEOUT_MS", .storage, .clients, .value("10000"), .integer(100...600_000),
            meaning: "statement timeout; migrations are exempt"),
        row(
            "DATABASE_PREPARED_STATEMENTS", .storage, .clients, .value("true"), .boolean,
            meaning: "named prepared statements; false behind a transaction pooler"),
        row(
            "MIGRATIONS_DIR", .storage, .operator, .unset("embedded"), .path, .refused,
            notReadYet: Unread.migrations,
            meaning: "migrations instead of ours"),
        row(
            "REDIS_URL", .storage, [.api, .worker], .value("redis://127.0.0.1:6379/0"),
            .form("a redis://, rediss:// or unix:// URL"), .checked("rediss://, a Unix socket, or loopback"),
            secrecy: .value, meaning: "shared limits, JWKS cache, LLM reliability state"),
        row("REDIS_MAX_CONNECTIONS", .storage, [.api, .worker], .value("8"), .integer(1...256), meaning: "pool size"),
        row(
            "REDIS_TIMEOUT_MS", .storage, [.api, .worker], .value("500"), .integer(10...10000),
            meaning: "connect and command timeout"),
        row(
            "REDIS_DOWN_LOCAL_QUOTA_PERCENT", .storage, [.api, .worker], .value("25"), .integer(1...100),
            meaning: "share of each limit one process grants while Redis is unreachable"),
        row(
            "AUDIT_RETENTION_DAYS", .storage, .worker, .value("365"), .integer(30...3650),
            meaning: "age at which audit events are deleted"),
    ]

    static let workerRows: [EnvironmentVariable] = [
        row("WORKER_TICK_SECONDS", .worker, .worker, .value("30"), .integer(1...3600), meaning: "polling fallback"),
        row("WORKER_BATCH_SIZE", .worker, .worker, .value("25"), .integer(1...1000), meaning: "most jobs per claim"),
        row(
            "WORKER_MAX_CONCURRENCY", .worker, .worker, .value("32"), .integer(1...1024),
            meaning: "jobs running at once in this process"),
        row(
            "WORKER_LEASE_SECONDS", .worker, .worker, .value("60"), .integer(3...3600),
            meaning: "job lease; heartbeat every third"),
        row(
            "WORKER_PER_USER_CONCURRENCY_LIMIT", .worker, .worker, .value("1"), .integer(1...32),
            meaning: "running jobs per user and lane in the whole fleet"),
        row(
            "WORKER_RETRY_BASE_DELAY_SECONDS", .worker, .worker, .value("30"), .integer(1...3600),
            meaning: "first retry delay"),
        row(
            "WORKER_RETRY_MAX_DELAY_SECONDS", .worker, .worker, .value("1800"), .integer(1...86400),
            meaning: "greatest retry delay, at least the first"),
        row(
            "WORKER_DRAIN_TIMEOUT_SECONDS", .worker, .worker, .value("25"), .integer(1...600),
            meaning: "wait for running work at shutdown"),
        row(
            "WORKER_PRIVACY_DELETE_BATCH_SIZE", .worker, .worker, .value("10"), .integer(1...1000),
            meaning: "delete requests per claim"),
        row(
            "WORKER_PRIVACY_DELETE_LEASE_SECONDS", .worker, .worker, .value("120"), .integer(10...3600),
            meaning: "lease of a delete request"),
        row(
            "WORKER_PRIVACY_DELETE_REVOKE_MAX_ATTEMPTS", .worker, .worker, .value("8"), .integer(1...100),
            meaning: "tries of provider revocation before local data is erased without it"),
        row(
            "PRIVACY_DELETE_SLA_HOURS", .worker, .worker, .value("24"), .integer(1...720),
            meaning: "age at which an open delete request is overdue"),
        row(
            "SCHEDULES_ENABLED", .worker, .worker, .value("true"), .boolean,
            meaning: "whether this worker steps schedules"),
        row(
            "SCHEDULE_CALENDAR_SCAN_SECONDS", .worker, .worker, .value("300"), .integer(60...3600),
            meaning: "interval of the calendar scan per user"),
        row(
            "SCHEDULE_URGENT_EMAIL_SECONDS", .worker, .worker, .value("900"), .integer(300...86400),
            meaning: "interval of the urgent-email check per user"),
        row(
            "SCHEDULE_BRIEF_CATCH_UP_SECONDS", .worker, .worker, .value("7200"), .integer(0...14400),
            meaning: "how late a missed morning brief may still be sent"),
    ]

    static let pushRows: [EnvironmentVariable] = [
        row(
            "APNS_SANDBOX_ENDPOINT", .push, .worker, .unset("none"), .url(schemes: web, query: true), .https,
            meaning: "HTTP endpoint for sandbox device deliveries"),
        row(
            "APNS_PRODUCTION_ENDPOINT", .push, .worker, .unset("none"), .url(schemes: web, query: true), .https,
            meaning: "HTTP endpoint for production device deliveries"),
        row(
            "APNS_AUTH_TOKEN", .push, .worker, .unset("none"), .text(1...4096, .visible), secrecy: .value,
            meaning: "bearer token attached to endpoint deliveries"),
        row(
            "APNS_KEY_ID", .push, .worker, .unset("no direct mode"), .text(10...10, .upper),
            meaning: "key id of the provider token; the four of direct mode all or none"),
        row(
            "APNS_TEAM_ID", .push, .worker, .unset("no direct mode"), .text(10...10, .upper),
            meaning: "team id of the provider token"),
        row(
            "APNS_TOPIC", .push, .worker, .unset("no direct mode"), .text(1...255, .domain),
            meaning: "app bundle id"),
        row(
            "APNS_AUTH_KEY_P8", .push, .worker, .unset("no direct mode"),
            .form("a P-256 private key as PEM text, \\n escapes allowed"), secrecy: .value,
            meaning: "provider key; at most one of the three forms"),
        row(
            "APNS_AUTH_KEY_P8_BASE64", .push, .worker, .unset("no direct mode"),
            .form("base64 of a P-256 private key as PEM text"), secrecy: .value,
            meaning: "provider key in base64"),
        row(
            "APNS_AUTH_KEY_P8_PATH", .push, .worker, .unset("no direct mode"),
            .form("a file with a P-256 private key as PEM text, mode 0600 or stricter"), secrecy: .file,
            meaning: "provider key in a file"),
        row(
            "APNS_DIRECT_SANDBOX_URL", .push, .worker, .value("https://api.sandbox.push.apple.com"),
            .url(schemes: https, query: false), .defaultOnly,
            meaning: "APNs sandbox"),
        row(
            "APNS_DIRECT_PRODUCTION_URL", .push, .worker, .value("https://api.push.apple.com"),
            .url(schemes: https, query: false), .defaultOnly,
            meaning: "APNs production"),
        row("APNS_TIMEOUT_MS", .push, .worker, .value("10000"), .integer(100...12000), meaning: "timeout of one send"),
        row(
            "PUSH_MAX_CONCURRENCY", .push, .worker, .value("64"), .integer(1...1000),
            meaning: "sends at once in this process"),
    ]
}
