import HostProcess
import HostRuntime
import Hummingbird
import ServiceLifecycle
import Testing

@testable import APIServer

/// Runs an application on a free port for the length of `body`, then drains it.
func withListener<Value: Sendable>(
    _ make: @Sendable (@escaping @Sendable (Int) -> Void) -> any Service,
    _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> Value {
    let (ports, announced) = AsyncStream.makeStream(of: Int.self)
    let service = make { announced.yield($0) }
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: [service], gracefulShutdownSignals: [], logger: LineBuffer().log(.error).libraryLogger("test")))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let port = try #require(await ports.first { _ in true })
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(port))
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return try result.get()
    }
}

/// A listener with these routes and nothing behind them.
func withRoutes<Value: Sendable>(
    _ routes: [Route], lines: LineBuffer = LineBuffer(), timeout: Duration = .seconds(5), maximumConnections: Int = 64,
    _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> Value {
    let address = try #require(anyPort)
    return try await withListener(
        { announce in
            let accessLog = AccessLog(log: lines.log(), metrics: MetricsRegistry())
            let responder = APIResponder(
                table: RouteTable(routes), gate: .openRoutes, accessLog: accessLog, timeout: timeout)
            let listener = HTTPListener(
                name: "test", address: address, maximumConnections: maximumConnections, responder: responder,
                accessLog: accessLog, readiness: Readiness([]), onListening: announce)
            return listener.application
        }, body)
}
