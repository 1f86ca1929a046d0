public import AttestedSession
public import EnclaveProtocol

/// Which set of rules holds.
public enum DeploymentEnvironment: String, CaseIterable, Sendable { case local, staging, production }

/// How the enclave proves what it is.
public enum RuntimeMode: String, CaseIterable, Sendable {
    case devShim = "dev-shim"
    case remote
}

/// Where Google is and how it knows this client.
public struct GoogleConfiguration: Sendable {
    /// OAuth client id.
    public let clientID: String
    /// OAuth client secret.
    public let clientSecret: ConfiguredSecret
    /// Redirect URI registered with Google.
    public let redirectURI: String
    /// Authorisation page, opened by the user's browser.
    public let authorizationURL: ProviderURL
    /// Token endpoint.
    public let tokenURL: ProviderURL
    /// Revocation endpoint.
    public let revokeURL: ProviderURL
    /// Base of the Calendar API.
    public let calendarURL: ProviderURL
    /// Base of the Gmail API.
    public let gmailURL: ProviderURL
    /// Longest single request, in milliseconds.
    public let requestTimeoutMilliseconds: Int
}

/// How connections leave the enclave.
public struct EgressConfiguration: Sendable {
    /// PEM file of roots used instead of the system's; local only.
    public let rootsFile: String?
    /// For `host:port` of a provider, the address where its TCP connection enters.
    public let routes: [String: Endpoint]

    /// A configuration.
    public init(rootsFile: String?, routes: [String: Endpoint]) {
        self.rootsFile = rootsFile
        self.routes = routes
    }
}

/// Everything an enclave is told from outside, parsed once into values that cannot be wrong.
public struct EnclaveConfiguration: Sendable {
    /// `ALFRED_ENV`.
    public let environment: DeploymentEnvironment
    /// `ENCLAVE_RUNTIME_MODE`.
    public let mode: RuntimeMode
    /// Least level that is logged.
    public let logLevel: LogLevel
    /// Lines as JSON, or as text for people.
    public let logsJSON: Bool
    /// Listener.
    public let bind: Endpoint
    /// Host keys and their roles.
    public let clients: [[UInt8]: Role]
    /// Open sessions; a quarter is kept for each of api and worker.
    public let maximumSessions: Int
    /// Calls in progress, callbacks not counted.
    public let maximumInFlight: Int
    /// `google.get` calls per user and minute.
    public let googlePerMinute: Int
    /// Opened items per user and minute.
    public let opensPerMinute: Int
    /// Life of a session and greatest challenge window, in seconds.
    public let maximumAgeSeconds: Int
    /// Runtime that a local identity states.
    public let expectedRuntime: String
    /// Measurement of `dev-shim`.
    public let measurement: String
    /// Measurements for which the key may be used, without names.
    public let allowedMeasurements: [String]
    /// Seed of the Ed25519 key that signs evidence, 32 bytes as base64; nil where evidence stays unsigned.
    public let signingSeed: ConfiguredSecret?
    /// File with the identity of local `remote` mode.
    public let identityFile: String?
    /// The same inline.
    public let identityInline: String?
    /// NSM device.
    public let nsmDevice: String
    /// `KMS_KEY_ID`.
    public let keyID: String
    /// Version of the active data key.
    public let keyVersion: UInt32
    /// Further versions that may be opened.
    public let decryptVersions: [UInt32]
    /// AWS KMS endpoint instead of the public one of the key's region.
    public let kmsEndpoint: String?
    /// Key file of the local KMS.
    public let localKeyFile: String
    /// Google.
    public let google: GoogleConfiguration
    /// Egress.
    public let egress: EgressConfiguration
    /// Names that begin like the enclave's variables but are none; logged as a warning.
    public let unknownVariables: [String]

    /// Parses and cross-checks `values`; every broken rule is in the error.
    ///
    /// Outside local only values that are `measured` with the image will do.
    public init(
        _ values: [String: String], for executable: EnclaveExecutable, measured: Bool = false
    ) throws(ConfigurationError) {
        var settings = Settings(values)
        let environment = settings.environment(executable)
        self.environment = environment
        mode = settings.mode(executable, environment)
        if environment != .local { settings.checkOutsideLocal(measured: measured) }

        logLevel = settings.value("LOG_LEVEL", default: .info, "must be error, warn, info or debug") {
            LogLevel(rawValue: $0)
        }
        logsJSON = settings.value("LOG_FORMAT", default: true, "must be json or text") {
            ["json": true, "text": false][$0]
        }
        bind = settings.bindAddress()
        clients = settings.clients()
        maximumSessions = settings.integer("ENCLAVE_RPC_MAX_SESSIONS", default: 64, 1...1024)
        maximumInFlight = settings.integer("ENCLAVE_RPC_MAX_IN_FLIGHT", default: 256, 1...4096)
        googlePerMinute = settings.integer("ENCLAVE_USER_GOOGLE_PER_MINUTE", default: 120, 1...100_000)
        opensPerMinute = settings.integer("ENCLAVE_USER_OPENS_PER_MINUTE", default: 600, 1...1_000_000)
        maximumAgeSeconds = settings.integer("TEE_ATTESTATION_MAX_AGE_SECONDS", default: 300, 1...3600)

        expectedRuntime = settings.value(
            "TEE_EXPECTED_RUNTIME", default: "nitro", "must be 1 to 64 of [A-Za-z0-9._-]"
        ) { isName($0, atMost: 64, extra: "._-") ? $0 : nil }
        measurement = settings.value(
            "ENCLAVE_RUNTIME_MEASUREMENT", default: "dev-local-enclave", "must be 1 to 512 of [A-Za-z0-9._:+=-]"
        ) { isName($0, atMost: 512, extra: "._:+=-") ? $0 : nil }
        allowedMeasurements = settings.allowedMeasurements()
        signingSeed = settings.secret("TEE_ATTESTATION_SIGNING_PRIVATE_KEY", executable)
        identityFile = settings.given("TEE_ATTESTATION_DOCUMENT_PATH")
        identityInline = settings.value(
            "TEE_ATTESTATION_DOCUMENT", default: nil, "must be JSON of at most 8 KiB"
        ) { $0.utf8.count <= 8192 ? .some($0) : nil }
        nsmDevice = settings.given("NSM_DEVICE_PATH") ?? "/dev/nsm"

        keyID = settings.keyID(executable)
        keyVersion = UInt32(settings.integer("KMS_KEY_VERSION", default: 1, 1...0x7FFF_FFFF))
        decryptVersions = settings.decryptVersions(active: keyVersion)
        kmsEndpoint = settings.kmsEndpoint()
        localKeyFile = settings.given("KMS_LOCAL_KEY_PATH") ?? ".local/keys/kms.key"

        let google = settings.google(environment, executable)
        egress = settings.egress(google, environment)
        unknownVariables = KnownVariables.unknown(in: values)
        guard settings.violations.isEmpty, let google else { throw ConfigurationError(settings.violations) }
        self.google = google
    }
}

/// Letters, digits and the characters of `extra`, 1 to `limit` of them.
func isName(_ text: String, atMost limit: Int, extra: String) -> Bool {
    !text.isEmpty && text.utf8.count <= limit
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: extra.utf8.contains(byte)
            }
        }
}
