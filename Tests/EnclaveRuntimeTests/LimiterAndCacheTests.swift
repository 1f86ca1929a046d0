import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// A clock that stands until it is told to go on.
final class ManualClock: Sendable {
    private let time = Mutex(MonotonicInstant(nanoseconds: 1_000_000_000_000))
    var now: MonotonicInstant { time.withLock { $0 } }
    func advance(seconds: Int) { time.withLock { $0 = $0.advanced(bySeconds: seconds) } }
}

@Suite struct UserLimiterTests {
    private let clock = ManualClock()

    @Test func refusesThe121stUseInAMinute() {
        let limiter = UserLimiter(limit: 120, now: { [clock] in clock.now })
        let user = UserID(UUID())
        for _ in 0..<120 { #expect(limiter.take(of: user)) }
        #expect(!limiter.take(of: user))
        #expect(limiter.take(of: UserID(UUID())))
        clock.advance(seconds: 59)
        #expect(!limiter.take(of: user))
        clock.advance(seconds: 1)
        #expect(limiter.take(of: user))
    }

    @Test func takesNothingWhenNotEnoughIsLeft() {
        let limiter = UserLimiter(limit: 10, now: { [clock] in clock.now })
        let user = UserID(UUID())
        #expect(!limiter.take(11, of: user))
        #expect(limiter.take(6, of: user))
        #expect(!limiter.take(5, of: user))
        #expect(limiter.take(4, of: user))
    }

    @Test func inventedUsersDoNotPushOthersOut() {
        let limiter = UserLimiter(limit: 1, maximumUsers: 3, now: { [clock] in clock.now })
        let user = UserID(UUID())
        #expect(limiter.take(of: user))
        for _ in 0..<2 { #expect(limiter.take(of: UserID(UUID()))) }
        for _ in 0..<10 { #expect(!limiter.take(of: UserID(UUID()))) }
        #expect(!limiter.take(of: user))
        clock.advance(seconds: 61)
        #expect(limiter.take(of: UserID(UUID())))
    }
}

@Suite struct AccessTokenCacheTests {
    private let clock = ManualClock()
    private let reference = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))

    private func cache() -> AccessTokenCache { AccessTokenCache(now: { [clock] in clock.now }) }
    private func token(_ text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

    private func cached(_ cache: AccessTokenCache, version: UInt64) -> String? {
        guard let found = cache.token(reference, recordVersion: version) else { return nil }
        return text(found.bytes)
    }

    @Test func givesATokenToItsRecordVersionOnly() {
        let cache = cache()
        cache.store(token("t"), for: reference, recordVersion: 2, seconds: 3600)
        #expect(cached(cache, version: 1) == nil)
        #expect(cached(cache, version: 2) == "t")
        #expect(cached(cache, version: 3) == nil)
        if case .newer = cache.find(reference, recordVersion: 1) {} else { Issue.record("not seen as newer") }
        // Asking for a newer record drops it.
        if case .none = cache.find(reference, recordVersion: 3) {} else { Issue.record("an old token was found") }
        #expect(cached(cache, version: 2) == nil)
    }

    @Test func endsBeforeTheProviderDoes() {
        let cache = cache()
        cache.store(token("t"), for: reference, recordVersion: 1, seconds: 3600)
        clock.advance(seconds: 3600 - 121)
        #expect(cached(cache, version: 1) == "t")
        clock.advance(seconds: 61)
        #expect(cached(cache, version: 1) == nil)
    }

    @Test func anOlderRecordDoesNotReplaceANewerOne() {
        let cache = cache()
        cache.store(token("new"), for: reference, recordVersion: 2, seconds: 3600)
        cache.store(token("old"), for: reference, recordVersion: 1, seconds: 3600)
        #expect(cached(cache, version: 2) == "new")
    }

    @Test func dropsBySerialAndByUser() {
        let cache = cache()
        cache.store(token("a"), for: reference, recordVersion: 1, seconds: 3600)
        let serial = cache.token(reference, recordVersion: 1)?.serial
        #expect(serial != nil)
        cache.store(token("b"), for: reference, recordVersion: 1, seconds: 3600)
        cache.drop(reference, serial: serial)
        #expect(cached(cache, version: 1) == "b")
        cache.drop(user: UserID(UUID()))
        #expect(cached(cache, version: 1) == "b")
        cache.drop(user: reference.user)
        #expect(cached(cache, version: 1) == nil)
    }

    @Test func keepsTokensOfAnyLengthApart() {
        var slab = SecretSlab()
        var slots: [(SecretSlab.Slot, String)] = []
        for index in 0..<700 {
            let text = String(repeating: Character(Unicode.Scalar(UInt8(65 + index % 26))), count: 1 + index * 3 % 2048)
            slots.append((slab.store(token(text)), text))
        }
        for (slot, expected) in slots { #expect(text(slab.load(slot)) == expected) }
        for (slot, _) in slots { slab.release(slot) }
        let again = slab.store(token("again"))
        #expect(text(slab.load(again)) == "again")
    }

    @Test func isBounded() {
        let cache = cache()
        let secret = token("x")
        for _ in 0..<(AccessTokenCache.maximumEntries + 5) {
            cache.store(
                secret, for: ConnectorReference(user: reference.user, connector: ConnectorID(UUID())), recordVersion: 1,
                seconds: 3600)
        }
        cache.drop(user: reference.user)
        cache.store(secret, for: reference, recordVersion: 1, seconds: 3600)
        #expect(cached(cache, version: 1) == "x")
    }
}
