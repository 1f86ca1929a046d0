public import AsyncHTTPClient
public import HostRuntime

/// Where no transport exists and the deployment is local: says so in the log, and nothing leaves.
public struct SimulatedPush: PushTransport {
    private let log: HostLog

    public init(log: HostLog) { self.log = log }

    public func send(_ message: PushMessage) async -> PushAnswer {
        log.with(requestID: RequestID(message.requestID), trace: nil).event("push_simulated")
        return .simulated
    }
}

/// Where no transport exists outside local: every notification fails.
struct UnconfiguredPush: PushTransport {
    func send(_ message: PushMessage) async -> PushAnswer {
        .refused(code: "APNS_NOT_CONFIGURED", deviceIsGone: false)
    }
}

/// The transport of each device environment.
public struct PushRoutes: Sendable {
    public let sandbox: any PushTransport
    public let production: any PushTransport

    public init(sandbox: any PushTransport, production: any PushTransport) {
        self.sandbox = sandbox
        self.production = production
    }

    /// The routes that the environment describes.
    ///
    /// - Throws: for the credentials of direct delivery to APNs, which this version cannot do.
    public init(
        _ configuration: PushConfiguration, client: HTTPClient, log: HostLog
    ) throws(ConfigurationError) {
        try Self.check(configuration)
        func route(_ endpoint: ServiceURL?, _ environment: String) -> any PushTransport {
            if let endpoint {
                return EndpointPush(
                    client: client, url: endpoint, token: configuration.endpointToken, timeout: configuration.timeout)
            }
            if configuration.environment.isLocal { return SimulatedPush(log: log) }
            log.event("push_not_configured", .warn, [LogField(.environment, environment)])
            return UnconfiguredPush()
        }
        self.init(
            sandbox: route(configuration.sandboxEndpoint, "sandbox"),
            production: route(configuration.productionEndpoint, "production"))
    }

    /// Throws for the credentials of direct delivery to APNs, which this version cannot do.
    public static func check(_ configuration: PushConfiguration) throws(ConfigurationError) {
        guard configuration.direct != nil else { return }
        let rule =
            "direct delivery to APNs is not part of this version; unset it and set APNS_SANDBOX_ENDPOINT or "
            + "APNS_PRODUCTION_ENDPOINT"
        throw ConfigurationError(violations: [ConfigurationViolation("APNS_KEY_ID", rule)])
    }
}
