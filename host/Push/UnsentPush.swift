public import HostRuntime

/// Where no transport exists and the deployment is local: says so in the log, and nothing leaves.
public struct SimulatedPush: PushTransport {
    public let judgesTokens = false
    private let log: HostLog

    public init(log: HostLog) { self.log = log }

    public func send(_ message: PushMessage) async -> PushAnswer {
        log.with(requestID: RequestID(message.requestID), trace: nil).event("push_simulated")
        return .simulated
    }
}

/// Where no transport exists outside local: every notification fails.
struct UnconfiguredPush: PushTransport {
    let judgesTokens = false

    func send(_ message: PushMessage) async -> PushAnswer {
        .refused(code: "APNS_NOT_CONFIGURED", deviceIsGone: false)
    }
}
