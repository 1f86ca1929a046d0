import Foundation
import HostRuntime
import Testing

@testable import APIServer

@Suite struct KeyDirectoryTests {
    private let first: TestKey
    private let second: TestKey
    private let clock = TestClock()

    init() throws {
        first = try TestKey(id: "one")
        second = try TestKey(id: "two")
    }

    private func directory(
        _ source: ScriptedKeySource, _ sharing: MemorySharing, minimumRefresh: Int = 0
    ) -> KeyDirectory {
        let clock = clock
        return KeyDirectory(
            source: source, sharing: sharing,
            rules: KeyDirectoryRules(
                defaultFreshSeconds: 300, staleSeconds: 300, minimumRefreshSeconds: minimumRefresh,
                unknownKeySeconds: 60),
            metrics: MetricsRegistry(), log: LineBuffer().log(), now: { clock.now })
    }

    private func fetched(_ keys: TestKey...) throws -> Result<FetchedKeySet, KeySetFetchFailure> {
        .success(FetchedKeySet(json: TestKey.set(try keys.map { try $0.jwk() }), maximumAge: nil))
    }

    private func failure(_ directory: KeyDirectory, _ id: String, mayFetch: Bool = true) async -> AuthFailure? {
        do throws(AuthFailure) {
            _ = try await directory.key(id) { mayFetch }
            return nil
        } catch {
            return error
        }
    }

    @Test func fetchesOnceForManyCallers() async throws {
        let source = ScriptedKeySource(try fetched(first))
        let directory = directory(source, MemorySharing(), minimumRefresh: 10)
        await withTaskGroup(of: AuthFailure?.self) { group in
            for _ in 0..<50 { group.addTask { await self.failure(directory, "one") } }
            for await result in group { #expect(result == nil) }
        }
        #expect(source.fetches == 1)
    }

    @Test func anUnknownKeyCausesOneFetchPerInterval() async throws {
        let source = ScriptedKeySource(try fetched(first))
        let directory = directory(source, MemorySharing(isAway: true), minimumRefresh: 3600)
        for id in ["x", "y", "z", "x"] { #expect(await failure(directory, id) == .unknownKey) }
        #expect(source.fetches == 1)
    }

    @Test func remembersAKeyThatIsNotThere() async throws {
        let source = ScriptedKeySource(try fetched(first))
        let directory = directory(source, MemorySharing(isAway: true))
        #expect(await failure(directory, "two") == .unknownKey)
        source.answer(try fetched(first, second))
        #expect(await failure(directory, "two") == .unknownKey)
        #expect(source.fetches == 1)
        #expect(await failure(directory, "one") == nil)
    }

    @Test func learnsARotatedKeyFromAnotherProcess() async throws {
        let sharing = MemorySharing()
        let mine = directory(ScriptedKeySource(try fetched(first)), sharing)
        #expect(await failure(mine, "one") == nil)
        sharing.expireClaim()
        clock.advance(30)
        let theirs = directory(ScriptedKeySource(try fetched(first, second)), sharing)
        await theirs.refreshIfDue()
        #expect(await failure(theirs, "one") == nil)
        clock.advance(260)
        await theirs.refreshIfDue()
        #expect(await failure(mine, "two") == nil)
    }

    @Test func servesStaleWhileFetchingFailsAndThenSaysUnavailable() async throws {
        let source = ScriptedKeySource(try fetched(first))
        let directory = directory(source, MemorySharing(isAway: true))
        #expect(await failure(directory, "one") == nil)
        source.answer(.failure(.timeout))
        clock.advance(301)
        #expect(await failure(directory, "one") == nil)
        #expect(await failure(directory, "two") == .keysUnavailable)
        clock.advance(300)
        #expect(await failure(directory, "one") == .keysUnavailable)
    }

    @Test func saysUnavailableWhenTheFleetMayNotFetchAndNothingIsKnown() async throws {
        let sharing = MemorySharing()
        sharing.claimElsewhere()
        let source = ScriptedKeySource(try fetched(first))
        #expect(await failure(directory(source, sharing), "one") == .keysUnavailable)
        #expect(source.fetches == 0)
    }

    @Test func refreshesInTheBackgroundBeforeTheEnd() async throws {
        let source = ScriptedKeySource(try fetched(first))
        let directory = directory(source, MemorySharing(isAway: true))
        #expect(await directory.refreshIfDue())
        clock.advance(239)
        await directory.refreshIfDue()
        #expect(source.fetches == 1)
        clock.advance(1)
        await directory.refreshIfDue()
        #expect(source.fetches == 2)
    }

    @Test func anAddressWithTooManyFailuresCausesNoFetch() async throws {
        let source = ScriptedKeySource(try fetched(first))
        #expect(await failure(directory(source, MemorySharing()), "one", mayFetch: false) == .unknownKey)
        #expect(source.fetches == 0)
    }

    @Test func readsMaximumAge() {
        #expect(KeySetFetcher.maximumAge(["public, Max-Age=120"]) == 120)
        #expect(KeySetFetcher.maximumAge(["no-store"]) == nil)
        #expect(KeySetFetcher.maximumAge(["max-age=-1", "max-age=5"]) == 5)
    }

    @Test func theNegativeCacheDropsTheLeastRecentlyUsed() {
        var cache = NegativeKeyCache(capacity: 2, lifetime: .seconds(60))
        cache.insert("a")
        cache.insert("b")
        #expect(cache.contains("a") == true)
        cache.insert("c")
        #expect(cache.contains("a") == true)
        #expect(cache.contains("b") == false)
        #expect(cache.contains("a", at: .now + .seconds(61)) == false)
    }
}
