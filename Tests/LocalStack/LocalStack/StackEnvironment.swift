import Foundation
import HostRuntime
import SimulatorKit

/// Ports, folders and variables of one local system; the one place where its configuration is put together.
public struct StackEnvironment: Sendable {
    /// Ports of 127.0.0.1.
    public struct PortSet: Codable, Sendable {
        public var google = Ports.free()
        public var clerk = Ports.free()
        public var apns = Ports.free()
        public var control = Ports.free()
        public var kms = Ports.free()
        public var metadata = Ports.free()
        public var openrouter = Ports.free()
        public var enclave = Ports.free()
        public var relay = Ports.free()
        public var api = Ports.free()
        public var apiMetrics = Ports.free()
        public var workerMetrics = Ports.free()
    }

    /// Bearer the worker pushes with; a local value that only the simulator knows.
    static let pushToken = "local-push-bearer"
    /// Key of the model provider; a local value too.
    static let modelKey = "sk-or-local"

    public let ports: PortSet
    /// Base URL of the REST API.
    public var apiURL: String { "http://127.0.0.1:\(ports.api)" }
    /// Where Google sends the browser back to: the bridge of the API.
    public var redirectURI: String { "\(apiURL)/oauth/google/callback" }
    /// Every variable of the local system; each process gets its own rows only.
    public var variables: [String: String]

    /// Puts the variables together from ports, the servers' URLs and the keys.
    init(ports: PortSet, servers: [String: String], keys: [String: String], settings: StackSettings) {
        self.ports = ports
        let google = "https://localhost:\(ports.google)"
        let redirect = "http://127.0.0.1:\(ports.api)/oauth/google/callback"
        variables = keys.merging([
            "ALFRED_ENV": "local",
            "EGRESS_CA_FILE": settings.state.appending(path: "simulators/ca.pem").path,
            "API_BIND_ADDR": "127.0.0.1:\(ports.api)",
            "CLERK_ISSUER": "https://localhost:\(ports.clerk)",
            "CLERK_AUDIENCE": "alfred",
            // The simulated Clerk has new keys at each start, and a Redis of the environment outlives it.
            "CLERK_JWKS_CACHE_KEY": "alfred:clerk:jwks:\(UUID().uuidString)",
            "ENCLAVE_RUNTIME_BASE_URL": "tcp://127.0.0.1:\(settings.recordsWire ? ports.relay : ports.enclave)",
            "ENCLAVE_RUNTIME_BIND_ADDR": "127.0.0.1:\(ports.enclave)",
            "GOOGLE_OAUTH_CLIENT_ID": "local.apps.googleusercontent.com",
            "GOOGLE_OAUTH_REDIRECT_URI": redirect,
            "GOOGLE_OAUTH_AUTH_URL": "\(google)/o/oauth2/v2/auth",
            "GOOGLE_OAUTH_TOKEN_URL": "\(google)/token",
            "GOOGLE_OAUTH_REVOKE_URL": "\(google)/revoke",
            "GOOGLE_CALENDAR_BASE_URL": google,
            "GOOGLE_GMAIL_BASE_URL": google,
            "APNS_SANDBOX_ENDPOINT": "https://localhost:\(ports.apns)/push",
            "APNS_AUTH_TOKEN": Self.pushToken,
            "OPENROUTER_API_KEY": Self.modelKey,
            "OPENROUTER_CHAT_COMPLETIONS_URL": "https://localhost:\(ports.openrouter)/api/v1/chat/completions",
            "REDIS_URL": servers["REDIS_URL"] ?? "",
        ]) { _, new in new }
        secureModule = Self.secureModule(in: settings.state)
        if settings.isRemote { variables = Self.remote(variables, ports, secureModule, settings.state) }
        self.servers = servers
        self.keyFolder = settings.state.appending(path: "keys")
        if let sender = settings.directPush { sendDirectly(as: sender) }
        variables.merge(settings.overrides) { _, new in new }
    }

    /// The simulated services differ by the name they are called by.
    private mutating func sendDirectly(as sender: PushSender) {
        variables["APNS_SANDBOX_ENDPOINT"] = nil
        variables["APNS_AUTH_TOKEN"] = nil
        variables["APNS_KEY_ID"] = sender.provider.keyID
        variables["APNS_TEAM_ID"] = sender.provider.teamID
        variables["APNS_TOPIC"] = sender.provider.topic
        variables["APNS_AUTH_KEY_P8_BASE64"] = Data(sender.privateKey.utf8).base64EncodedString()
        variables["APNS_DIRECT_SANDBOX_URL"] = "https://127.0.0.1:\(ports.apns)"
        variables["APNS_DIRECT_PRODUCTION_URL"] = "https://localhost:\(ports.apns)"
    }

    /// Socket of the simulated secure module; only with `isRemote`.
    public let secureModule: String

    private let servers: [String: String]
    private let keyFolder: URL

    /// The database of the migrations, with the owner's rights.
    public var ownerDatabaseURL: String { servers["OWNER_DATABASE_URL"] ?? "" }
    /// The database with the operator's rights.
    public var operatorDatabaseURL: String { servers["OPERATOR_DATABASE_URL"] ?? "" }
    /// One of the files that `scripts/local-keys` made, for example `attestation.key`.
    public func keyFile(_ name: String) -> String { keyFolder.appending(path: name).path }
    /// The Redis of this system.
    public var redisURL: String { servers["REDIS_URL"] ?? "" }

    /// Exactly the variables that `component` is started with.
    public func variables(for component: Component) -> [String: String] {
        var all = variables
        let process: ProcessKind
        switch component {
        case .simulators: return Self.system
        case .enclave: process = .enclave
        case .api:
            process = .api
            all["DATABASE_URL"] = servers["API_DATABASE_URL"]
            all["METRICS_BIND_ADDR"] = "127.0.0.1:\(ports.apiMetrics)"
            all["ENCLAVE_RPC_CLIENT_KEY_PATH"] = keyFile("api.key")
        case .worker:
            process = .worker
            all["DATABASE_URL"] = servers["WORKER_DATABASE_URL"]
            all["METRICS_BIND_ADDR"] = "127.0.0.1:\(ports.workerMetrics)"
            all["ENCLAVE_RPC_CLIENT_KEY_PATH"] = keyFile("worker.key")
        }
        return EnvironmentCatalogue.variables(for: process, of: all).merging(Self.system) { own, _ in own }
    }

    /// The variables of `alfredctl`, with the owner's database.
    public var operatorVariables: [String: String] {
        var all = variables
        all["DATABASE_URL"] = ownerDatabaseURL
        all["ENCLAVE_RPC_CLIENT_KEY_PATH"] = keyFile("operator.key")
        return EnvironmentCatalogue.variables(for: .operator, of: all).merging(Self.system) { own, _ in own }
    }

    /// What every child needs of the real environment.
    static var system: [String: String] {
        ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "TZ"].contains($0.key)
        }
    }
}
