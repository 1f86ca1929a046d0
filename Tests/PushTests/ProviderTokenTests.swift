import Crypto
import Foundation
import HostRuntime
import Synchronization
import Testing

@testable import Push

/// The provider token: one for all, renewed in time and not too often.
@Suite struct ProviderTokenTests {
    /// Clocks that stand until they are moved.
    private final class Hands: Sendable {
        private let state = Mutex((now: Date(timeIntervalSince1970: 1_800_000_000), instant: ContinuousClock.now))

        var clocks: ProviderTokens.Clocks {
            ProviderTokens.Clocks(
                now: { self.state.withLock { $0.now } }, instant: { self.state.withLock { $0.instant } })
        }

        func pass(minutes: Int) {
            state.withLock { state in
                state.now += Double(minutes) * 60
                state.instant += .seconds(minutes * 60)
            }
        }

        func setWallClock(aheadBy minutes: Int) { state.withLock { $0.now += Double(minutes) * 60 } }
    }

    private let key = P256.Signing.PrivateKey()
    private let hands = Hands()
    private let metrics = MetricsRegistry()

    private func tokens() throws -> ProviderTokens {
        try ProviderTokens(
            keyID: "KEY1234567", teamID: "TEAM123456", key: Secret(key.pemRepresentation), metrics: metrics,
            clocks: hands.clocks)
    }

    private func text(_ token: ProviderTokens.Token) -> String { token.bearer.withValue { $0 } }

    private func part(_ token: String, _ index: Int) throws -> [String: Any] {
        var text = String(token.split(separator: ".")[index]).replacing("-", with: "+").replacing("_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        let data = try #require(Data(base64Encoded: text))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func isSignedByTheKeyAndTellsWhoAndWhenInWholeSeconds() async throws {
        let token = text(try await tokens().current())
        let header = try part(token, 0)
        #expect(header["alg"] as? String == "ES256" && header["kid"] as? String == "KEY1234567")
        let claims = try part(token, 1)
        #expect(claims["iss"] as? String == "TEAM123456" && claims.count == 2)
        #expect((claims["iat"] as? NSNumber)?.stringValue == "1800000000")
        let pieces = token.split(separator: ".")
        var signature = String(pieces[2]).replacing("-", with: "+").replacing("_", with: "/")
        while signature.count % 4 != 0 { signature += "=" }
        let raw = try #require(Data(base64Encoded: signature))
        let parsed = try P256.Signing.ECDSASignature(rawRepresentation: raw)
        #expect(key.publicKey.isValidSignature(parsed, for: Data("\(pieces[0]).\(pieces[1])".utf8)))
    }

    @Test func isMadeOnceHoweverManyAskForIt() async throws {
        let tokens = try tokens()
        let texts = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { text(try await tokens.current()) } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(texts.count == 1)
        #expect(metrics.exposition().contains(#"alfred_apns_provider_tokens_total{reason="first"} 1"#))
    }

    @Test func isReplacedAtFiftyMinutes() async throws {
        let tokens = try tokens()
        let first = text(try await tokens.current())
        hands.pass(minutes: 49)
        #expect(text(try await tokens.current()) == first)
        hands.pass(minutes: 1)
        let second = text(try await tokens.current())
        #expect(second != first)
        #expect(text(try await tokens.current()) == second)
        #expect(metrics.exposition().contains(#"alfred_apns_provider_tokens_total{reason="age"} 1"#))
    }

    @Test func isNotReplacedWithinTwentyMinutesWhateverAPNsAndTheWallClockSay() async throws {
        let tokens = try tokens()
        let first = try await tokens.current()
        hands.pass(minutes: 19)
        #expect(try await tokens.replacement(for: first)?.madeAt == nil)
        hands.setWallClock(aheadBy: -600)
        #expect(text(try await tokens.current()) == text(first))
        hands.pass(minutes: 1)
        // A token that was made in what is now the future is refused: it goes as soon as it may.
        #expect(text(try await tokens.current()) != text(first))
    }

    @Test func isReplacedOnceForAllWhoseTokenWasCalledExpired() async throws {
        let tokens = try tokens()
        let first = try await tokens.current()
        hands.pass(minutes: 20)
        let second = try #require(try await tokens.replacement(for: first))
        #expect(text(second) != text(first))
        let again = try #require(try await tokens.replacement(for: first))
        #expect(text(again) == text(second))
        #expect(try await tokens.replacement(for: second)?.madeAt == nil)
        #expect(metrics.exposition().contains(#"alfred_apns_provider_tokens_total{reason="expired"} 1"#))
    }
}
