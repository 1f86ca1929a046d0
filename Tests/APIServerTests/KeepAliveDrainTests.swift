import Foundation
import HostProcess
import HostRuntime
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import APIServer

/// Many clients that keep their connections, while the process is told to end.
@Suite struct KeepAliveDrainTests {
    private static let clients = 24
    private static let request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

    private struct Tally {
        var warm = 0
        var lost = 0
        var told = 0
    }

    /// Sends request after request on one connection until an answer says that it was the last.
    private static func client(_ port: Int, pause: Int, _ tally: Tallies) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            var parts = inbound.makeAsyncIterator()
            var answers = 0
            while true {
                var answer = ""
                do {
                    try await outbound.write(ByteBuffer(string: request))
                    while !answer.hasSuffix("\"hi\""), let part = try await parts.next() {
                        answer += String(buffer: part)
                    }
                } catch {
                    // Counted below: what is not answered whole is lost.
                }
                guard answer.hasPrefix("HTTP/1.1 200 "), answer.hasSuffix("\"hi\"") else {
                    return tally.count { $0.lost += 1 }
                }
                answers += 1
                if answers == 1 { tally.count { $0.warm += 1 } }
                if answer.lowercased().contains("connection: close") { return tally.count { $0.told += 1 } }
                try await Task.sleep(for: .milliseconds(pause))
            }
        }
    }

    private final class Tallies: Sendable {
        private let tally = Mutex(Tally())

        func count(_ change: (inout Tally) -> Void) { tally.withLock { change(&$0) } }
        var now: Tally { tally.withLock { $0 } }
    }

    @Test(.timeLimit(.minutes(1))) func noRequestOfAKeptConnectionIsLost() async throws {
        let (ports, announced) = AsyncStream.makeStream(of: Int.self)
        let (readiness, tally) = (Readiness([]), Tallies())
        let accessLog = AccessLog(log: LineBuffer().log(), metrics: MetricsRegistry())
        let listener = HTTPListener(
            name: "test", address: try #require(anyPort), maximumConnections: 64,
            responder: APIResponder(
                table: RouteTable([.get("/hello", nil, .open { _ in .json(.string("hi")) })]), gate: .openRoutes,
                accessLog: accessLog, timeout: .seconds(30)),
            accessLog: accessLog, readiness: readiness, onListening: { announced.yield($0) })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [listener.application, DrainAnnouncer(readiness: readiness)], gracefulShutdownSignals: [],
                logger: LineBuffer().log(.error).libraryLogger("test")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = try #require(await ports.first { _ in true })
            for index in 0..<Self.clients {
                tasks.addTask { try await Self.client(port, pause: index, tally) }
            }
            while tally.now.warm < Self.clients { try await Task.sleep(for: .milliseconds(5)) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        #expect(tally.now.lost == 0)
        #expect(tally.now.told == Self.clients)
    }
}
