import Foundation
import HostProcess
import HostRuntime
import ServiceLifecycle
import Synchronization
import Testing

@testable import APIServer

@Suite struct DrainTests {
    @Test func whatIsUnderWayIsAnsweredAndNothingNewIsTaken() async throws {
        let (entered, isEntered) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let routes: [Route] = [
            .get(
                "/slow", nil,
                .open { _ in
                    isEntered.yield()
                    for await _ in released { break }
                    return .json(.string("late"))
                })
        ]
        let (ports, announced) = AsyncStream.makeStream(of: Int.self)
        let accessLog = AccessLog(log: LineBuffer().log(), metrics: MetricsRegistry())
        let listener = HTTPListener(
            name: "test", address: try #require(anyPort), maximumConnections: 64,
            responder: APIResponder(
                table: RouteTable(routes), gate: .openRoutes, accessLog: accessLog, timeout: .seconds(30)),
            accessLog: accessLog, readiness: Readiness([]), onListening: { announced.yield($0) })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [listener.application], gracefulShutdownSignals: [],
                logger: LineBuffer().log(.error).libraryLogger("test")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = try #require(await ports.first { _ in true })
            async let slow = RawClient.exchange(port, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = await entered.first { _ in true }
            await group.triggerGracefulShutdown()
            // Until the listener is closed what comes is answered; then it is refused and goes to another replica.
            while let answer = try? await RawClient.exchange(port, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n") {
                #expect(answer.isEmpty || answer.lowercased().contains("connection: close"))
            }
            release.yield()
            let answer = try await slow
            #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("\"late\""))
            #expect(answer.lowercased().contains("connection: close"))
            try await tasks.waitForAll()
        }
    }
}
