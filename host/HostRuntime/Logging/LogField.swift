/// How loud a line is; the order is that of `LOG_LEVEL`.
public enum HostLogLevel: String, Comparable, Sendable {
    case error, warn, info, debug

    private var rank: Int {
        switch self {
        case .error: 3
        case .warn: 2
        case .info: 1
        case .debug: 0
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}

/// The one list of field names a log line may have beside the fixed ones; add a name here to log it.
public enum LogFieldName: String, CaseIterable, Sendable {
    case address, attempt, attempts, backend, batch, bucket, capability, channel, check, claimed, code, component
    case connections, count, deferred, delivered, done, endpoint, environment, expired, failed, feature, fields
    case interval = "interval_ms"
    case jobType = "job_type"
    case jobID = "job_id"
    case keyVersion = "key_version"
    case kind, lag
    case lagAverage = "lag_average_ms"
    case lagMaximum = "lag_maximum_ms"
    case latency = "latency_ms"
    case measurement, method, migration, mode
    case notificationID = "notification_id"
    case operation
    case osUser = "os_user"
    case outcome, pending, pid, pool, port, purpose, pushes
    case pushFailed = "push_failed"
    case deadLettered = "dead_lettered"
    case queue, reason, resource, result, retried
    case retryAfter = "retry_after_ms"
    case role, route, runtime, schema, signal, state, status, step, suppressed, table, timeout = "timeout_ms"
    case total, type
    case userReference = "user_ref"
    case source, provider, model, tries, cost = "estimated_cost_usd"
    case errorType = "error_type"
    case cacheHit = "cache_hit"
    case budgetRouted = "budget_routed"
    case inputTokens = "gen_ai_usage_input_tokens"
    case outputTokens = "gen_ai_usage_output_tokens"
    case operationName = "gen_ai_operation_name"
    case requestModel = "gen_ai_request_model"
    case responseModel = "gen_ai_response_model"
    case providerName = "gen_ai_provider_name"
    case variable, version, workerID = "worker_id"
}

/// One field of a log line: a listed name and a harmless value.
public struct LogField: Sendable {
    enum Value: Sendable {
        case text(String)
        case integer(Int)
        case decimal(Double)
        case flag(Bool)
    }

    public let name: LogFieldName
    let value: Value

    /// A short text of `[A-Za-z0-9 ._:/<>{}+=,@()-]`; one with other characters or of more than 256 is dropped and counted.
    public init(_ name: LogFieldName, _ text: String) {
        self.name = name
        value = .text(text)
    }

    public init(_ name: LogFieldName, _ number: Int) {
        self.name = name
        value = .integer(number)
    }

    public init(_ name: LogFieldName, _ number: Double) {
        self.name = name
        value = .decimal(number)
    }

    public init(_ name: LogFieldName, _ flag: Bool) {
        self.name = name
        value = .flag(flag)
    }

    /// Whole milliseconds.
    public init(_ name: LogFieldName, _ duration: Duration) {
        self.init(name, duration.wholeMilliseconds)
    }

    /// Whether the value may stand in a log line.
    var isAllowed: Bool {
        guard case .text(let text) = value else { return true }
        return text.utf8.count <= 256 && text.utf8.allSatisfy { $0 < 0x80 && Self.isHarmless[Int($0)] }
    }

    /// By ASCII byte.
    private static let isHarmless: [Bool] = (UInt8(0)..<0x80).map { byte in
        isASCIIWord(String(Unicode.Scalar(byte)), also: " ._:/<>{}+=,@()-")
    }
}

/// Something that happened, with the fields that say how.
public struct HostLogEvent: Sendable {
    /// `[a-z0-9_]`, fixed in the source.
    public let name: StaticString
    public let level: HostLogLevel
    public let fields: [LogField]

    public init(_ name: StaticString, _ level: HostLogLevel = .info, _ fields: [LogField] = []) {
        self.name = name
        self.level = level
        self.fields = fields
    }
}

/// A person in the logs: the first 12 hex digits of SHA-256(user id).
///
/// `digest` is the SHA-256 of the user id's UTF-8 bytes; this module has no hash function of its own.
public func userReference(digest: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return String(digest.prefix(6).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

extension Duration {
    /// Milliseconds, rounded down.
    public var wholeMilliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }

    /// Seconds with a fraction.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
