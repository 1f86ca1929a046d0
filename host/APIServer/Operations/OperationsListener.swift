public import HostProcess
public import HostRuntime
import Hummingbird
import HummingbirdCore
public import ServiceLifecycle

/// The listener of `METRICS_BIND_ADDR`: `/metrics`, `/healthz` and `/readyz`, for API and worker alike.
public struct OperationsListener: Service {
    private let address: HostRuntime.BindAddress
    private let readiness: Readiness
    private let accessLog: AccessLog
    private let onListening: @Sendable (Int) -> Void

    /// A listener; `onListening` is given the port once it takes connections.
    public init(
        address: HostRuntime.BindAddress, readiness: Readiness, log: HostLog, metrics: MetricsRegistry,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.address = address
        self.readiness = readiness
        accessLog = AccessLog(log: log, metrics: metrics)
        self.onListening = onListening
    }

    /// Serves until shutdown.
    public func run() async throws {
        let (metrics, sink) = (accessLog.metrics, accessLog.log.sink)
        let exposition = Route.get(
            "/metrics", nil,
            .open { _ in
                metrics.setTotal(.logFieldsDropped, to: Double(sink.droppedFields))
                return .text(metrics.exposition(), contentType: MetricsRegistry.contentType)
            })
        let responder = APIResponder(
            table: RouteTable(HealthHandlers(readiness: readiness).routes + [exposition]), gate: .openRoutes,
            accessLog: accessLog, timeout: .seconds(10))
        let listener = HTTPListener(
            name: "operations", address: address, maximumConnections: 64, responder: responder, accessLog: accessLog,
            readiness: readiness, onListening: onListening)
        try await NamedListener(
            variable: "METRICS_BIND_ADDR", address: address, log: accessLog.log, listener: listener.application
        ).run()
    }
}
