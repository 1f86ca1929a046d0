import Foundation
import HostProcess
import HostRuntime
import Testing

@testable import APIServer

@Suite struct EdgeSocketTests {
    private static let routes: [Route] = [
        .get("/hello", nil, .open { _ in .json(.object(["ok": .bool(true)])) }),
        .post(
            "/echo", nil,
            .open { call throws(APIError) in .json(.object(["text": .string(try call.body.text("text"))])) }),
        .get(
            "/slow", nil,
            .open { _ in
                try? await Task.sleep(for: .seconds(30))
                return .json(.null)
            }),
    ]
    private static let host = "Host: api.test\r\n"

    private func exchange(_ text: String) async throws -> String {
        try await withRoutes(Self.routes) { try await RawClient.exchange($0, text) }
    }

    @Test func answersWithTheHeadersOfEveryAnswer() async throws {
        let answer = try await exchange(
            "GET /hello HTTP/1.1\r\n\(Self.host)X-Request-Id: abc-1\r\nConnection: close\r\n\r\n"
        ).lowercased()
        #expect(answer.hasPrefix("http/1.1 200 ok\r\n"))
        for header in [
            "x-request-id: abc-1", "cache-control: no-store", "x-content-type-options: nosniff",
            "content-type: application/json",
        ] {
            #expect(answer.contains(header), "\(header)")
        }
        #expect(answer.hasSuffix(#"{"ok":true}"#))
    }

    @Test(arguments: [
        ("GET /hello HTTP/1.0\r\nHost: a\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}", 400),
        ("NONSENSE /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "y", count: 17_000) + "\r\n\r\n", 431),
        ("GET /" + String(repeating: "y", count: 17_000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        ("GET /hello HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 101) + "\r\n", 431),
    ])
    func refusesBadFramingWithTheEnvelopeAndCloses(_ request: String, _ status: Int) async throws {
        let answer = try await exchange(request)
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer.prefix(60))")
        #expect(answer.contains(#"{"error":{"code":""#))
        #expect(answer.contains("x-request-id: "))
        #expect(answer.contains("connection: close"))
    }

    @Test func refusesABodyThatGrowsBeyondTheLimit() async throws {
        let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
        let head =
            "POST /echo HTTP/1.1\r\n\(Self.host)Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        let answer = try await exchange(head + String(repeating: chunk, count: 5))
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.contains("payload_too_large"))
    }

    @Test func answersEarlierRequestsBeforeARejection() async throws {
        let answer = try await exchange(
            "GET /hello HTTP/1.1\r\n\(Self.host)\r\nGET /hello HTTP/1.1\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.contains("HTTP/1.1 400 "))
    }

    @Test func answersAWishForAnotherProtocolInThisOneAndCloses() async throws {
        let head = "\(Self.host)Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        let answer = try await exchange("GET /hello HTTP/1.1\r\n\(head)\r\nGET /hello HTTP/1.1\r\n\(Self.host)\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.lowercased().contains("connection: close"))
        #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
    }

    @Test func keepsNoByteBehindATunnelThatIsNotOpened() async throws {
        let head = "CONNECT api.test:443 HTTP/1.1\r\n\(Self.host)\r\n"
        let answer = try await exchange(head + String(repeating: "x", count: 4_000_000))
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 404 "), "a reset may eat the answer")
    }

    @Test func answersEveryOddTarget() async throws {
        let targets = [
            "http://", "http:///hello", "//hello", "//", "?", "/?", "/%", "/%zz", "/hello?%", "http://[::1",
            "http://a:99999999999999999999/hello", "http://a:-1/", "http://@:@/", "*", "/hello#f", "/..", "/hello/",
            "/\u{7f}", "/é", "/a?b?c=%00", "urn:x", ":", "/v1/connectors/%2e%2e",
        ]
        try await withRoutes(Self.routes) { port in
            for target in targets {
                let answer = try await RawClient.exchange(
                    port, "GET \(target) HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 "), "\(target): \(answer.prefix(40))")
            }
            let last = try await RawClient.exchange(
                port, "GET /hello HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
            #expect(last.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func invitesTheBodyThatWaits() async throws {
        let answer = try await withRoutes(Self.routes) { port in
            try await RawClient.exchange(
                port,
                [
                    (
                        "POST /echo HTTP/1.1\r\n\(Self.host)Content-Type: application/json\r\nContent-Length: 12\r\n"
                            + "Expect: 100-continue\r\nConnection: close\r\n\r\n", .milliseconds(50)
                    ), (#"{"text":"x"}"#, .zero),
                ])
        }
        #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n"))
        #expect(answer.contains("HTTP/1.1 200 OK"))
        #expect(answer.hasSuffix(#"{"text":"x"}"#))
    }

    @Test func cutsOffASlowHandler() async throws {
        let answer = try await withRoutes(Self.routes, timeout: .milliseconds(200)) { port in
            try await RawClient.exchange(port, "GET /slow HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
        }
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("request_timeout"))
        #expect(answer.lowercased().contains("retry-after: 1"))
    }

    @Test func tellsShapeFromSyntaxFromMediaType() async throws {
        func post(_ body: String, type: String = "application/json") -> String {
            "POST /echo HTTP/1.1\r\n\(Self.host)Content-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Connection: close\r\n\r\n\(body)"
        }
        #expect(try await exchange(post(#"{"text":"y"}"#)).hasPrefix("HTTP/1.1 200 "))
        #expect(try await exchange(post(#"{"text":7}"#)).contains("invalid_request_body"))
        #expect(try await exchange(post(#"{"text":"a","text":"b"}"#)).contains("invalid_json"))
        #expect(try await exchange(post("x", type: "text/plain")).contains("unsupported_media_type"))
    }

    @Test func answersWrongMethodsAndUnknownPaths() async throws {
        let wrong = try await exchange("DELETE /hello HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
        #expect(wrong.hasPrefix("HTTP/1.1 405 "))
        #expect(wrong.lowercased().contains("allow: get"))
        let unknown = try await exchange("GET /nowhere HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
        #expect(unknown.hasPrefix("HTTP/1.1 404 "))
    }

    @Test func answersHeadWithoutABodyAndConnectAsUnknown() async throws {
        let head = try await exchange("HEAD /hello HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 405 "))
        #expect(head.hasSuffix("\r\n\r\n"))
        let connect = try await exchange("CONNECT a:1 HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
        #expect(connect.hasPrefix("HTTP/1.1 404 "))
    }

    @Test func logsTheTemplateAndNeverTheQuery() async throws {
        let lines = LineBuffer()
        _ = try await withRoutes(Self.routes, lines: lines) { port in
            try await RawClient.exchange(port, "GET /hello?secret=1 HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n")
        }
        let line = try #require(lines.lines.first { $0.contains("http_request_completed") })
        #expect(line.contains(#""route":"/hello""#))
        for field in ["method", "status", "latency_ms", "outcome", "request_id", "trace_id", "span_id", "ts", "level"] {
            #expect(line.contains("\"\(field)\":"), "\(field)")
        }
        #expect(line.contains(#""level":"info""#), "written in production too, where debug is refused")
        #expect(!lines.lines.contains { $0.contains("secret") })
    }
}

@Suite struct OperationsListenerTests {
    @Test func servesMetricsAndHealth() async throws {
        let metrics = MetricsRegistry()
        metrics.set(.redisDegraded, to: 1)
        let readiness = Readiness([ReadinessCheck(.database) { .ok }, ReadinessCheck(.redis) { .degraded }])
        await readiness.refresh()
        let address = try #require(anyPort)
        try await withListener(
            {
                OperationsListener(
                    address: address, readiness: readiness, log: LineBuffer().log(), metrics: metrics, onListening: $0)
            }
        ) { port in
            func get(_ path: String) async throws -> String {
                try await RawClient.exchange(port, "GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            }
            #expect(try await get("/metrics").contains("alfred_redis_degraded 1"))
            #expect(try await get("/metrics").contains("\nalfred_log_fields_dropped_total "))
            #expect(try await get("/healthz").hasSuffix(#"{"ok":true}"#))
            #expect(
                try await get("/readyz").hasSuffix(#"{"ok":true,"checks":{"database":"ok","redis":"degraded"}}"#))
            readiness.beginDraining()
            let draining = try await get("/readyz")
            #expect(draining.hasPrefix("HTTP/1.1 503 "))
            #expect(draining.contains(#""code":"draining""#))
        }
    }
}
