import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import APIServer

/// What comes in from the internet: the server answers or closes, stays small, and good requests go on.
@Suite(.serialized) struct MalformedTrafficTests {
    private static let routes: [Route] = [
        .get("/hello", nil, .open { _ in .json(.object(["ok": .bool(true)])) }),
        .get("/smuggled", nil, .open { _ in .json(.string("smuggled")) }),
        .post("/echo", nil, .open { call throws(APIError) in .json(.string(try call.body.text("text"))) }),
    ]
    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    private func isServed(_ port: Int) async throws -> Bool {
        let answer = try await RawClient.exchange(
            port, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return answer.hasPrefix("HTTP/1.1 200 ")
    }

    /// Two readers of the same bytes must not find different requests: what could be read in two ways is refused, the
    /// connection closed, and what follows is no request.
    @Test(arguments: [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding:\u{0b}chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 44\r\n\r\n", "Content-Length: 0, 44\r\n\r\n",
        "Content-Length: 0x2c\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: 0 44\r\n\r\n",
        "Content-Length:\r\n\r\n", "Content_Length: 4\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "Content-Length: 4\u{0}\r\n\r\n", "Host: b\r\n\r\n", "Host : a\r\n\r\n", "No colon\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX0\r\n\r\n",
    ])
    func whatCouldBeReadInTwoWaysIsRefused(_ shape: String) async throws {
        try await withRoutes(Self.routes) { port in
            let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            let answer = try await RawClient.exchange(port, head + shape + Self.smuggled)
            #expect(!answer.contains("smuggled"), "\(shape.debugDescription)")
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(40))")
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count <= 2)
            #expect(try await isServed(port))
        }
    }

    @Test func aHangUpAtAnyByteHarmsNobody() async throws {
        let text = """
            POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"text":"x"}
            """
        try await withRoutes(Self.routes, maximumConnections: 512) { port in
            for reset in [false, true] {
                for length in 0...text.utf8.count {
                    try await Self.hangUp(port, String(text.prefix(length)), reset: reset)
                }
            }
            #expect(try await isServed(port))
        }
    }

    @Test func endlessHeadsAndBodiesAreCutOff() async throws {
        let lines = String(repeating: "X-Header: \(String(repeating: "y", count: 100))\r\n", count: 200)
        let extensions = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"
        let trailers = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        let shapes = [
            ("GET /hello HTTP/1.1\r\nHost: a\r\n", lines), ("GET /", String(repeating: "y", count: 8192)),
            ("GET /hello HTTP/1.1\r\nHost: ", String(repeating: "y", count: 8192)),
            (extensions, String(repeating: "e", count: 8192)), (trailers, lines),
            ("", String(repeating: "\r\n", count: 4096)), ("", String(repeating: "G", count: 8192)),
        ]
        try await withRoutes(Self.routes) { port in
            let before = try residentKibibytes()
            for (start, rest) in shapes {
                // 40 MB unless the server ends it.
                let sent = try await Self.pour(port, start, rest, pieces: 40_000_000 / rest.utf8.count)
                #expect(sent < 20_000_000, "\(start.prefix(30)) took \(sent) bytes")
            }
            #expect(try residentKibibytes() - before < 64 * 1024)
            #expect(try await isServed(port))
        }
    }

    @Test func thousandsOfIdleAndHalfOpenConnectionsAreBorne() async throws {
        let wanted = min(3000, try Self.freeDescriptors() / 2 - 200)
        try await withRoutes(Self.routes, maximumConnections: 65_536) { port in
            let before = try residentKibibytes()
            let channels = try await Self.open(wanted, port, "")
            let half = try await Self.open(100, port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            #expect(channels.count == wanted)
            for _ in 0..<20 { #expect(try await isServed(port)) }
            // Both ends are in this process.
            let each = (try residentKibibytes() - before) / (wanted + 100)
            #expect(each < 96, "\(each) KiB per connection")
            for channel in channels + half { channel.close(promise: nil) }
            #expect(try await isServed(port))
        }
    }

    @Test func beyondTheCapNewcomersWaitAndAreServedWhenThereIsRoom() async throws {
        try await withRoutes(Self.routes, maximumConnections: 16) { port in
            let channels = try await Self.open(40, port, "")
            async let waiting = isServed(port)
            for channel in channels { channel.close(promise: nil) }
            #expect(try await waiting)
        }
    }

    // MARK: - Clients

    private static func connect(_ port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10)).connect(host: "127.0.0.1", port: port).get()
    }

    private static func open(_ count: Int, _ port: Int, _ text: String) async throws -> [any Channel] {
        var channels: [any Channel] = []
        for _ in 0..<count {
            let channel = try await connect(port)
            if !text.isEmpty { try await channel.writeAndFlush(ByteBuffer(string: text)) }
            channels.append(channel)
        }
        return channels
    }

    private static func hangUp(_ port: Int, _ text: String, reset: Bool) async throws {
        let channel = try await connect(port)
        if !text.isEmpty { try await channel.writeAndFlush(ByteBuffer(string: text)) }
        if reset, let socket = channel as? any SocketOptionProvider {
            try await socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try? await channel.close()
    }

    /// Writes until the server closes; answers how many bytes it took.
    private static func pour(_ port: Int, _ start: String, _ rest: String, pieces: Int) async throws -> Int {
        let channel = try await connect(port)
        var sent = 0
        do {
            try await channel.writeAndFlush(ByteBuffer(string: start))
            for _ in 0..<pieces {
                try await channel.writeAndFlush(ByteBuffer(string: rest))
                sent += rest.utf8.count
            }
        } catch {
            // Ended by the server.
        }
        try? await channel.close()
        return sent
    }

    private static func freeDescriptors() throws -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(min(limit.rlim_cur, 65_536))
    }
}

/// Resident memory of this process.
func residentKibibytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return try #require(line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) })
}
