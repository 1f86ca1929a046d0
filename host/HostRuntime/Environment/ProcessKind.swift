/// The processes that read environment variables; a row of the catalogue lists the ones it is for.
public struct ProcessKind: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// `api-server`.
    public static let api = ProcessKind(rawValue: 1 << 0)
    /// `worker`.
    public static let worker = ProcessKind(rawValue: 1 << 1)
    /// `enclave-runtime` and `enclave-dev-shim`.
    public static let enclave = ProcessKind(rawValue: 1 << 2)
    /// `alfredctl`.
    public static let `operator` = ProcessKind(rawValue: 1 << 3)
    /// `llm-eval --mode live`.
    public static let evaluation = ProcessKind(rawValue: 1 << 4)
    /// Test runs.
    public static let tests = ProcessKind(rawValue: 1 << 5)

    /// Every process outside the enclave.
    public static let hosts: ProcessKind = [.api, .worker, .operator, .evaluation]
    /// The three that hold sessions with the enclave.
    public static let clients: ProcessKind = [.api, .worker, .operator]

    /// The `process` of a log line.
    public var logName: String {
        switch self {
        case .api: "api-server"
        case .worker: "worker"
        case .enclave: "enclave"
        case .operator: "alfredctl"
        case .evaluation: "llm-eval"
        case .tests: "tests"
        default: "several"
        }
    }
}

/// Which set of rules holds, `ALFRED_ENV`.
public enum DeploymentEnvironment: String, CaseIterable, Sendable {
    case local, staging, production

    public var isLocal: Bool { self == .local }
}
