public import Foundation

/// What the simulators start with.
public struct SimulatorConfiguration: Sendable {
    /// Folder of the throw-away CA and of `simulators.json`; made when absent.
    public var stateFolder: String
    /// Ports on 127.0.0.1; 0: any.
    public var googlePort: Int
    public var clerkPort: Int
    public var apnsPort: Int
    public var kmsPort: Int
    public var metadataPort: Int
    public var openRouterPort: Int
    public var controlPort: Int
    public var kms: KMSSettings
    /// Secure modules that listen from the start; more can be added through the control API.
    public var secureModules: [SecureModuleSettings]
    public var googleClient: GoogleClient
    public var clerk: ClerkSettings
    /// The wall clock of the providers: life of codes and tokens, `iat`, age of mail.
    public var now: @Sendable () -> Date

    public init(
        stateFolder: String, googlePort: Int = 0, clerkPort: Int = 0, apnsPort: Int = 0, controlPort: Int = 0,
        kmsPort: Int = 0, metadataPort: Int = 0, openRouterPort: Int = 0, kms: KMSSettings = KMSSettings(),
        secureModules: [SecureModuleSettings] = [],
        googleClient: GoogleClient = .local, clerk: ClerkSettings = ClerkSettings(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.stateFolder = stateFolder
        self.googlePort = googlePort
        self.clerkPort = clerkPort
        self.apnsPort = apnsPort
        self.controlPort = controlPort
        self.kmsPort = kmsPort
        self.metadataPort = metadataPort
        self.openRouterPort = openRouterPort
        self.kms = kms
        self.secureModules = secureModules
        self.googleClient = googleClient
        self.clerk = clerk
        self.now = now
    }
}

extension GoogleClient {
    /// A client for local runs; tests set their own through the control API.
    public static let local = GoogleClient(
        clientID: "1001-alfred-local.apps.googleusercontent.com", clientSecrets: ["GOCSPX-simulated-client-secret"],
        redirectURIs: ["http://127.0.0.1:8080/oauth/google/callback"])
}

/// Where the simulators listen; the content of `simulators.json`.
public struct SimulatorEndpoints: Codable, Sendable, Hashable {
    /// Base URL, without a slash at the end.
    public var google: String
    /// Base URL and issuer, without a slash at the end.
    public var clerk: String
    /// Base URL of both ways to push, without a slash at the end.
    public var apns: String
    /// Where KMS listens: reached under its own name, `kms.<region>.amazonaws.com`, by a route to this address.
    public var kms: String
    /// Base URL of the instance metadata, plain HTTP.
    public var metadata: String
    /// URL of OpenRouter's chat completions.
    public var openRouter: String
    /// Base URL of the control API, plain HTTP.
    public var control: String
    /// PEM file of the CA that signed the servers' certificate.
    public var caFile: String
    /// PEM file of the root under which the secure modules sign.
    public var nitroRootFile: String
}
