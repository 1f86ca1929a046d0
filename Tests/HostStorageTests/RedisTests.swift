import Foundation
import Testing

@testable import HostStorage

private func redis() async throws -> RedisConnection {
    guard let url = ProcessInfo.processInfo.environment["TEST_REDIS_URL"] else { throw MissingServer() }
    return try RedisConnection(RedisOptions(url: url, timeout: .seconds(5)))
}

@Suite struct RedisTests {
    @Test(arguments: [
        ("redis://127.0.0.1:6380/3", RedisURL.Endpoint.tcp(host: "127.0.0.1", port: 6380), false, 3),
        ("rediss://u:p%40@cache.example.com", .tcp(host: "cache.example.com", port: 6379), true, 0),
        ("redis://[::1]:7000", .tcp(host: "::1", port: 7000), false, 0),
        ("unix:///run/redis.sock?db=2", .unix(path: "/run/redis.sock"), false, 2),
    ])
    func readsItsAddress(_ text: String, _ endpoint: RedisURL.Endpoint, _ usesTLS: Bool, _ database: Int) throws {
        let url = try #require(RedisURL(text))
        #expect(url.endpoint == endpoint)
        #expect(url.usesTLS == usesTLS)
        #expect(url.database == database)
    }

    @Test(arguments: ["", "http://x", "redis://", "redis://h/x", "redis://h/-1", "unix://"])
    func refusesABadAddress(_ text: String) {
        #expect(throws: RedisError.badURL) { _ = try RedisConnection(RedisOptions(url: text)) }
    }

    @Test func tellsThatThePasswordIsWrong() async throws {
        let url = try #require(ProcessInfo.processInfo.environment["TEST_REDIS_URL"])
        var parts = try #require(URLComponents(string: url))
        (parts.user, parts.password) = ("default", "not-the-password")
        let connection = try RedisConnection(
            RedisOptions(url: try #require(parts.string), timeout: .seconds(5)))
        await #expect(throws: RedisError.refused("WRONGPASS")) { try await connection.ping() }
    }

    @Test func isBinarySafeAndKeepsAnswersApart() async throws {
        let connection = try await redis()
        let prefix = UUID().uuidString
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let value: [UInt8] = [0, 13, 10, 255] + Array("\(number)".utf8)
                    try await connection.set("\(prefix):\(number)", value, expiresIn: .seconds(60))
                    return try await connection.get("\(prefix):\(number)") == value
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        #expect(try await connection.get("\(prefix):none") == nil)
    }

    @Test func setsOnlyIfAbsentAndReportsRefusals() async throws {
        let connection = try await redis()
        let key = UUID().uuidString
        #expect(try await connection.set(key, [1], expiresIn: .seconds(60), onlyIfAbsent: true))
        #expect(try await !connection.set(key, [2], expiresIn: .seconds(60), onlyIfAbsent: true))
        await #expect(throws: RedisError.refused("WRONGTYPE")) {
            _ = try await connection.command(["LPUSH", RedisArgument(key), "x"])
        }
        try await connection.delete(key)
        #expect(try await connection.get(key) == nil)
    }

    @Test func sendsAScriptInFullOnlyWhenUnknown() async throws {
        let connection = try await redis()
        let script = RedisScript("return {KEYS[1], ARGV[1], \(Int.random(in: 0...Int(Int32.max)))}")
        for _ in 0..<2 {
            let reply = try await connection.eval(script, keys: ["k"], arguments: ["v"])
            #expect(reply.array?.prefix(2).map(\.text) == ["k", "v"])
        }
        #expect(try await connection.command(["SCRIPT", "EXISTS", RedisArgument(script.hash)]).array == [.integer(1)])
    }

    @Test func comesBackAfterItsConnectionIsKilled() async throws {
        let (connection, killer) = (try await redis(), try await redis())
        for _ in 0..<5 {
            let id = try #require(try await connection.command(["CLIENT", "ID"]).integer)
            _ = try await killer.command(["CLIENT", "KILL", "ID", RedisArgument(Int(id))])
            #expect(await eventually { (try? await connection.ping()) != nil })
        }
    }

    @Test func failsAtOnceWhenNobodyListens() async throws {
        let connection = try RedisConnection(RedisOptions(url: "redis://127.0.0.1:1"))
        await #expect(throws: RedisError.unavailable) { try await connection.ping() }
        let started = ContinuousClock.now
        for _ in 0..<100 { await #expect(throws: RedisError.unavailable) { try await connection.ping() } }
        #expect(ContinuousClock.now - started < .seconds(1))
    }

    @Test func aSilentServerIsATimeout() async throws {
        // A key nobody pushes to: the server keeps the answer back longer than the command may take.
        guard let url = ProcessInfo.processInfo.environment["TEST_REDIS_URL"] else { throw MissingServer() }
        let connection = try RedisConnection(RedisOptions(url: url, timeout: .milliseconds(200)))
        await #expect(throws: RedisError.timeout) {
            _ = try await connection.command(["BLPOP", RedisArgument(UUID().uuidString), "5"])
        }
        #expect(await eventually { (try? await connection.ping()) != nil })
    }
}

@Suite struct LimiterTests {
    @Test func grantsExactlyTheLimitUnderConcurrency() async throws {
        let limiters = [
            SlidingWindowLimiter(try await redis(), localPercent: 25),
            SlidingWindowLimiter(try await redis(), localPercent: 25),
        ]
        let limit = RateLimit(bucket: "test-\(UUID())", limit: 37, windowSeconds: 60)
        let decisions = await withTaskGroup(of: RateLimitDecision.self) { group in
            for number in 0..<300 { group.addTask { await limiters[number % 2].admit(limit, subject: "s") } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(decisions.count { $0.isAllowed } == 37)
        #expect(decisions.allSatisfy { $0.backend == .redis })
        #expect(Set(decisions.filter(\.isAllowed).map(\.remaining)) == Set(0..<37))
        #expect(decisions.allSatisfy { (1...60).contains($0.resetSeconds) })
        #expect(await limiters[0].admit(limit, subject: "another").isAllowed)
    }

    @Test func aDeniedRequestIsNotRecordedAndAPeekIsNeither() async throws {
        let limiter = SlidingWindowLimiter(try await redis(), localPercent: 25)
        let limit = RateLimit(bucket: "test-\(UUID())", limit: 1, windowSeconds: 1)
        for _ in 0..<3 { #expect(await limiter.peek(limit, subject: "s").isAllowed) }
        let started = ContinuousClock.now
        #expect(await limiter.admit(limit, subject: "s").isAllowed)
        #expect(await !limiter.peek(limit, subject: "s").isAllowed)
        // Denied requests all along the window do not keep it closed.
        #expect(await eventually { await limiter.admit(limit, subject: "s").isAllowed })
        let waited = ContinuousClock.now - started
        #expect(waited > .milliseconds(900) && waited < .seconds(3))
    }

    @Test func grantsAShareOfTheLimitWhileRedisIsAway() async throws {
        let connection = try RedisConnection(RedisOptions(url: "redis://127.0.0.1:1"))
        let limiter = SlidingWindowLimiter(connection, localPercent: 25)
        func granted(_ limit: Int, of requests: Int) async -> Int {
            let rate = RateLimit(bucket: "b\(limit)", limit: limit, windowSeconds: 60)
            var granted = 0
            for _ in 0..<requests {
                let decision = await limiter.admit(rate, subject: "s")
                #expect(decision.backend == .local)
                if decision.isAllowed { granted += 1 }
            }
            return granted
        }
        #expect(await granted(120, of: 60) == 30)
        #expect(await granted(3, of: 10) == 1)
        #expect(await granted(10, of: 10) == 2)
    }

    @Test func anEntryExactlyAtTheCutOffHasLeft() {
        let windows = LocalWindows()
        let start = Instant(nanoseconds: 1_000_000_000_000)
        func decide(at nanoseconds: UInt64) -> Bool {
            windows.decide(
                "k", limit: 1, windowSeconds: 1, records: true,
                now: Instant(nanoseconds: start.nanoseconds + nanoseconds)
            ).isAllowed
        }
        #expect(decide(at: 0))
        #expect(!decide(at: 999_999_999))
        #expect(decide(at: 1_000_000_000))
    }
}
