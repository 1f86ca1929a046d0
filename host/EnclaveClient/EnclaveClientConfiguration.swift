public import AttestationVerifier
public import AttestedSession
public import EnclaveProtocol
public import HostRuntime

/// How this process reaches the enclave and what it demands of it.
public struct EnclaveClientConfiguration: Sendable {
    /// `disabled` makes every call `notConfigured`.
    public var mode: EnclaveMode
    /// Where the enclave listens.
    public var endpoint: Endpoint
    /// What this process's host key may do; a label of metrics here, decided in the enclave.
    public var role: Role
    /// Attested sessions to keep.
    public var sessions: Int
    /// Longest deadline of one call.
    public var callTimeout: Duration
    /// Limit of each call of the start-up probe.
    public var probeTimeout: Duration
    /// Tries of the whole probe.
    public var probeAttempts: Int
    /// Limit of a challenge and of the handshake that follows.
    public var challengeTimeout: Duration
    /// How often the source of credentials is asked for new ones.
    public var credentialInterval = CredentialRenewal.interval
    /// What the enclave's evidence must satisfy; its maximum age also limits the life of a session.
    public var policy: AttestationPolicy

    /// A configuration.
    public init(
        mode: EnclaveMode, endpoint: Endpoint, role: Role, sessions: Int = 2, callTimeout: Duration = .seconds(20),
        probeTimeout: Duration = .seconds(2), probeAttempts: Int = 5, challengeTimeout: Duration = .seconds(2),
        policy: AttestationPolicy
    ) {
        self.mode = mode
        self.endpoint = endpoint
        self.role = role
        self.sessions = sessions
        self.callTimeout = callTimeout
        self.probeTimeout = probeTimeout
        self.probeAttempts = probeAttempts
        self.challengeTimeout = challengeTimeout
        self.policy = policy
    }

    /// The configuration that the environment describes.
    public init(_ enclave: EnclaveConnectionConfiguration, _ attestation: AttestationConfiguration, role: Role) {
        self.init(
            mode: enclave.mode, endpoint: Endpoint(enclave.endpoint), role: role, sessions: enclave.sessions,
            callTimeout: enclave.callTimeout, probeTimeout: enclave.probeTimeout, probeAttempts: enclave.probeAttempts,
            challengeTimeout: attestation.challengeTimeout, policy: AttestationPolicy(attestation))
    }
}

extension AttestationPolicy {
    /// The policy that the environment describes.
    public init(_ configuration: AttestationConfiguration) {
        self.init(
            isRequired: configuration.isRequired, expectedRuntime: configuration.expectedRuntime,
            environment: configuration.environment.rawValue,
            allowedMeasurements: configuration.allowedMeasurements.map(AcceptedMeasurement.init),
            kmsAllowedMeasurements: configuration.kmsAllowedMeasurements.map(AcceptedMeasurement.init),
            publicKeys: configuration.publicKeys,
            maximumAgeSeconds: UInt64(max(1, configuration.maximumAge.components.seconds)),
            allowsUnsigned: configuration.allowsInsecureDevelopment,
            nitroRoot: NitroRoot(configuration.nitroTestRoot))
    }
}

extension NitroRoot {
    /// AWS's without a test root; one that trusts nothing where the test root is unfit.
    fileprivate init(_ testRoot: [UInt8]?) {
        self = testRoot.map { (try? NitroRoot(testCertificate: $0)) ?? .none } ?? .aws
    }
}

extension AcceptedMeasurement {
    fileprivate init(_ entry: AllowedMeasurement) { self.init(name: entry.name, entry.measurement) }
}

extension Endpoint {
    /// The endpoint that the environment describes.
    public init(_ endpoint: EnclaveEndpoint) {
        switch endpoint {
        case .tcp(let host, let port): self = .tcp(host: host, port: port)
        case .vsock(let cid, let port): self = .vsock(cid: cid, port: port)
        case .unix(let path): self = .unix(path: path)
        }
    }
}
