/// What the API alone reads.
public struct APIConfiguration: Sendable {
    public let bindAddress: BindAddress
    public let requestTimeout: Duration
    public let maximumConnections: Int
    /// Longest wait for requests in flight at shutdown.
    public let shutdownDrain: Duration
    /// Peers that may supply forwarded client addresses.
    public let trustedProxies: [IPNetwork]
    public let oauthStateLifetime: Duration
    /// Registered with Google; the enclave must have the same.
    public let googleRedirectURI: ServiceURL
    public let clerk: ClerkConfiguration

    public init(reading reader: inout ConfigurationReader) {
        let address = reader.bindAddress("API_BIND_ADDR")
        bindAddress = address ?? .loopback
        requestTimeout = reader.milliseconds("API_REQUEST_TIMEOUT_MS")
        maximumConnections = reader.integer("API_MAX_CONNECTIONS")
        shutdownDrain = reader.seconds("SHUTDOWN_DRAIN_SECONDS")
        trustedProxies =
            reader.parsed("TRUSTED_PROXY_IPS", "must be addresses or CIDR blocks, at most 256, none of them /0") {
                let entries = parseCSV($0)
                let networks = entries.compactMap(IPNetwork.init)
                return networks.count == entries.count && networks.count <= 256 ? networks : nil
            } ?? []
        oauthStateLifetime = reader.seconds("OAUTH_STATE_TTL_SECONDS")
        googleRedirectURI = reader.requiredURL("GOOGLE_OAUTH_REDIRECT_URI")
        clerk = ClerkConfiguration(reading: &reader)
    }
}

extension BindAddress {
    /// What a reader returns after a violation.
    static let loopback = BindAddress(host: "127.0.0.1", port: 0)

    private init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// How tokens of Clerk are checked.
public struct ClerkConfiguration: Sendable {
    /// Where the key set comes from.
    public enum KeySource: Sendable {
        case open(ServiceURL)
        /// Fetched with the secret key as bearer.
        case backend(ServiceURL, Secret)
    }

    /// The expected `iss`, byte for byte as configured.
    public let issuer: String
    public let audience: String
    /// Allowed `azp`; nil when it is not checked.
    public let authorizedParties: [String]?
    public let keySource: KeySource
    public let cacheKey: String
    /// Fresh time without `max-age`, 60 s to 3600 s.
    public let defaultFreshness: Duration
    public let staleLifetime: Duration
    public let minimumRefreshInterval: Duration
    public let unknownKeyLifetime: Duration
    public let fetchTimeout: Duration
    /// Tokens whose signature is remembered; 0: each is checked at each request.
    public let verifiedTokens: Int

    public init(reading reader: inout ConfigurationReader) {
        let issuerURL = reader.requiredURL("CLERK_ISSUER")
        issuer = reader.given("CLERK_ISSUER") ?? issuerURL.text
        if issuer.unicodeScalars.count > 255 { reader.refuse("CLERK_ISSUER", "must be at most 255 characters") }
        audience = reader.requiredText("CLERK_AUDIENCE")
        authorizedParties =
            reader.given("CLERK_AUTHORIZED_PARTIES") == nil ? nil : reader.list("CLERK_AUTHORIZED_PARTIES")
        let keySet = reader.url("CLERK_JWKS_URL")
        let backend = reader.url("CLERK_BACKEND_API_URL")
        let secret = reader.secret("CLERK_SECRET_KEY")
        if reader.given("CLERK_BACKEND_API_URL") != nil, secret == nil {
            reader.refuse("CLERK_SECRET_KEY", "is required with CLERK_BACKEND_API_URL")
        }
        if let keySet {
            keySource = .open(keySet)
        } else if let url = backend.flatMap({ ServiceURL($0.text + "/jwks") }), let secret {
            keySource = .backend(url, secret)
        } else {
            keySource = .open(ServiceURL(issuerURL.text + "/.well-known/jwks.json") ?? .standIn)
        }
        cacheKey = reader.requiredText("CLERK_JWKS_CACHE_KEY")
        defaultFreshness = .seconds(min(max(reader.integer("CLERK_JWKS_CACHE_DEFAULT_TTL_SECONDS"), 60), 3600))
        staleLifetime = reader.seconds("CLERK_JWKS_CACHE_STALE_TTL_SECONDS")
        minimumRefreshInterval = reader.seconds("CLERK_JWKS_MIN_REFRESH_SECONDS")
        unknownKeyLifetime = reader.seconds("CLERK_JWKS_NEGATIVE_TTL_SECONDS")
        fetchTimeout = reader.milliseconds("CLERK_JWKS_TIMEOUT_MS")
        verifiedTokens = reader.integer("CLERK_VERIFIED_TOKENS")
    }
}
