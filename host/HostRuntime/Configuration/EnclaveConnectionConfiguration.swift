/// How the enclave proves itself and keeps its keys.
public enum EnclaveMode: String, Sendable {
    case devShim = "dev-shim"
    case remote
    case disabled
}

/// How a host reaches the enclave.
public struct EnclaveConnectionConfiguration: Sendable {
    public let mode: EnclaveMode
    public let endpoint: EnclaveEndpoint
    public let probeTimeout: Duration
    /// 1 in the operator's command.
    public let probeAttempts: Int
    /// Absolute path of this host's X25519 identity key, checked to hold one; nil in `disabled`.
    public let clientKeyPath: String?
    /// 1 in the operator's command.
    public let sessions: Int
    /// Longest deadline of one call.
    public let callTimeout: Duration

    public init(reading reader: inout ConfigurationReader) {
        let isOperator = reader.process == .operator
        let mode = Self.mode(&reader)
        self.mode = mode
        endpoint =
            reader.parsed(
                "ENCLAVE_RUNTIME_BASE_URL",
                "must be tcp://host:port, vsock://cid:port, unix:///path or http://host:port",
                EnclaveEndpoint.init) ?? .unix(path: "/invalid")
        probeTimeout = reader.milliseconds("ENCLAVE_RUNTIME_PROBE_TIMEOUT_MS")
        probeAttempts = isOperator ? 1 : reader.integer("ENCLAVE_RUNTIME_PROBE_ATTEMPTS")
        clientKeyPath = mode == .disabled ? nil : Self.clientKeyPath(&reader)
        sessions = isOperator ? 1 : reader.integer("ENCLAVE_RPC_SESSIONS")
        callTimeout = reader.milliseconds("ENCLAVE_RPC_TIMEOUT_MS")
    }

    static func mode(_ reader: inout ConfigurationReader) -> EnclaveMode {
        let standard: EnclaveMode = reader.environment.isLocal ? .devShim : .remote
        return reader.choice("ENCLAVE_RUNTIME_MODE", or: standard)
    }

    private static func clientKeyPath(_ reader: inout ConfigurationReader) -> String? {
        let name = "ENCLAVE_RPC_CLIENT_KEY_PATH"
        guard let path = reader.text(name) ?? localKeyPath(reader) else {
            reader.refuse(name, "is required outside local")
            return nil
        }
        let absolute = reader.absolutePath(path)
        do throws(SecretFileError) {
            try SecretFile.checkKey(at: absolute, count: 32)
        } catch {
            reader.refuse(name, error.rule)
        }
        return absolute
    }

    private static func localKeyPath(_ reader: ConfigurationReader) -> String? {
        guard reader.environment.isLocal else { return nil }
        switch reader.process {
        case .api: return ".local/keys/api.key"
        case .worker: return ".local/keys/worker.key"
        default: return ".local/keys/operator.key"
        }
    }
}
