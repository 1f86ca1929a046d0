public import HostRuntime

/// The transport of each device environment.
public struct PushRoutes: Sendable {
    let sandbox: any PushTransport
    let production: any PushTransport
    private let rejections: RejectionWatch

    public init(
        sandbox: any PushTransport, production: any PushTransport, log: HostLog? = nil,
        metrics: MetricsRegistry = MetricsRegistry()
    ) {
        self.sandbox = sandbox
        self.production = production
        rejections = RejectionWatch(metrics: metrics, log: log)
    }

    /// The routes that the environment describes: an endpoint first, APNs itself next.
    ///
    /// - Throws: when the key of the provider tokens is none.
    public init(
        _ configuration: PushConfiguration, clients: PushClients, log: HostLog, metrics: MetricsRegistry
    ) throws(ConfigurationError) {
        let tokens = try configuration.direct.map { direct throws(ConfigurationError) in
            try Self.tokens(direct, metrics)
        }
        func route(
            _ endpoint: ServiceURL?, _ url: ServiceURL?, _ environment: PushEnvironment
        ) -> any PushTransport {
            if let endpoint {
                return EndpointPush(
                    client: clients.endpoint, url: endpoint, token: configuration.endpointToken,
                    timeout: configuration.timeout)
            }
            if let direct = configuration.direct, let tokens, let url {
                return DirectPush(
                    client: clients.direct, url: url, topic: direct.topic, tokens: tokens,
                    timeout: configuration.timeout, log: log)
            }
            if configuration.environment.isLocal { return SimulatedPush(log: log) }
            log.event("push_not_configured", .warn, [LogField(.environment, environment.rawValue)])
            return UnconfiguredPush()
        }
        self.init(
            sandbox: route(configuration.sandboxEndpoint, configuration.direct?.sandboxURL, .sandbox),
            production: route(configuration.productionEndpoint, configuration.direct?.productionURL, .production),
            log: log, metrics: metrics)
    }

    /// Throws when the key of the provider tokens is none; for a start that should fail before anything is reached.
    public static func check(_ configuration: PushConfiguration) throws(ConfigurationError) {
        guard let direct = configuration.direct else { return }
        _ = try tokens(direct, MetricsRegistry())
    }

    private static func tokens(
        _ direct: PushConfiguration.Direct, _ metrics: MetricsRegistry
    ) throws(ConfigurationError) -> ProviderTokens {
        do {
            return try ProviderTokens(
                keyID: direct.keyID, teamID: direct.teamID, key: direct.key, metrics: metrics)
        } catch {
            let rule = "must hold a P-256 private key as PKCS #8 PEM text"
            throw ConfigurationError(violations: [ConfigurationViolation(direct.keyVariable, rule)])
        }
    }

    /// Sends to the device's environment, and where its token is unknown there, once to the other one.
    public func send(_ message: PushMessage, to environment: PushEnvironment) async -> PushAnswer {
        let home = transport(environment)
        let answer = await home.send(message)
        guard home.judgesTokens else { return answer }
        guard case .tokenRejected(let code, _) = answer else {
            if answer.isJudgement { _ = rejections.saw(rejection: false, in: environment) }
            return answer
        }
        let isStorm = rejections.saw(rejection: true, in: environment)
        let other = transport(environment.other)
        guard other.judgesTokens else { return .tokenRejected(code: code, isStorm: isStorm) }
        switch await other.send(message) {
        case .delivered: return .deliveredElsewhere
        case .tokenRejected: return .tokenRejected(code: code, isStorm: isStorm)
        case let answer: return answer
        }
    }

    private func transport(_ environment: PushEnvironment) -> any PushTransport {
        switch environment {
        case .sandbox: sandbox
        case .production: production
        }
    }
}

extension PushAnswer {
    /// Whether the service looked at the token.
    fileprivate var isJudgement: Bool {
        switch self {
        case .delivered, .deliveredElsewhere, .unregistered, .tokenRejected: true
        case .refused, .simulated, .transient, .misconfigured: false
        }
    }
}
