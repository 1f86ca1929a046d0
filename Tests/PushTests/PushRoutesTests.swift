import Crypto
import Foundation
import HostRuntime
import Synchronization
import Testing

@testable import Push

/// Which way a notification takes.
@Suite struct PushRoutesTests {
    private let direct = [
        "APNS_KEY_ID": "ABCDEFGHIJ", "APNS_TEAM_ID": "ABCDEFGHIJ", "APNS_TOPIC": "app.alfred",
        "APNS_AUTH_KEY_P8": P256.Signing.PrivateKey().pemRepresentation,
    ]

    private func withRoutes(
        _ variables: [String: String], _ body: (PushRoutes) async throws -> Void
    ) async throws {
        let clients = PushClients(rootsFile: nil, maximumConcurrency: 1)
        let result: Result<Void, any Error>
        do {
            let routes = try PushRoutes(
                pushConfiguration(variables), clients: clients, log: quietLog, metrics: MetricsRegistry())
            result = .success(try await body(routes))
        } catch {
            result = .failure(error)
        }
        try await clients.shutdown()
        try result.get()
    }

    @Test func simulatesInLocalWhereNothingIsConfigured() async throws {
        try await withRoutes(["APNS_SANDBOX_ENDPOINT": "https://push.test/push"]) { routes in
            #expect(routes.sandbox is EndpointPush)
            #expect(await routes.send(pushMessage(), to: .production) == .simulated)
        }
    }

    @Test func failsOutsideLocalWhereNothingIsConfigured() async throws {
        try await withRoutes(["ALFRED_ENV": "production"]) { routes in
            #expect(
                await routes.send(pushMessage(), to: .sandbox)
                    == .refused(code: "APNS_NOT_CONFIGURED", deviceIsGone: false))
        }
    }

    @Test func goesDirectlyWithAKeyAndByAnEndpointWhereThereIsOne() async throws {
        try await withRoutes(direct) { routes in
            #expect(routes.sandbox is DirectPush && routes.production is DirectPush)
        }
        try await withRoutes(direct.merging(["APNS_SANDBOX_ENDPOINT": "https://push.test/push"]) { $1 }) { routes in
            #expect(routes.sandbox is EndpointPush && routes.production is DirectPush)
        }
    }

    @Test func refusesAKeyThatOnlyLooksLikeOne() throws {
        #expect(throws: Never.self) { try PushRoutes.check(pushConfiguration([:])) }
        #expect(throws: Never.self) { try PushRoutes.check(pushConfiguration(direct)) }
        // PKCS #8 with the right identifiers around a number that is not below the curve's order.
        let head: [UInt8] = [
            0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
            0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
        ]
        let text = Data(head + [UInt8](repeating: 0xff, count: 32)).base64EncodedString()
        let pem = "-----BEGIN PRIVATE KEY-----\n\(text)\n-----END PRIVATE KEY-----\n"
        var variables = direct
        variables["APNS_AUTH_KEY_P8"] = nil
        variables["APNS_AUTH_KEY_P8_BASE64"] = Data(pem.utf8).base64EncodedString()
        let configuration = pushConfiguration(variables)
        #expect(configuration.direct != nil)
        let error = #expect(throws: ConfigurationError.self) { try PushRoutes.check(configuration) }
        #expect(error?.violations.map(\.variable) == ["APNS_AUTH_KEY_P8_BASE64"])
    }

    // MARK: - The other environment

    /// Answers as told, and counts.
    private final class Scripted: PushTransport {
        private let answer: PushAnswer
        private let counter = Mutex(0)
        var sends: Int { counter.withLock { $0 } }

        init(_ answer: PushAnswer) { self.answer = answer }

        func send(_ message: PushMessage) async -> PushAnswer {
            counter.withLock { $0 += 1 }
            return answer
        }
    }

    private let rejected = PushAnswer.tokenRejected(code: "APNS_BADDEVICETOKEN", isStorm: false)

    @Test func triesATokenUnknownHereAtTheOtherEnvironmentOnce() async {
        let (sandbox, production) = (Scripted(rejected), Scripted(.delivered))
        let routes = PushRoutes(sandbox: sandbox, production: production)
        #expect(await routes.send(pushMessage(), to: .sandbox) == .deliveredElsewhere)
        #expect(await routes.send(pushMessage(), to: .production) == .delivered)
        #expect(sandbox.sends == 1 && production.sends == 2)
    }

    @Test func tellsWhatTheOtherEnvironmentSays() async {
        let busy = PushAnswer.transient(code: "APNS_HTTP_503", retryAfter: nil)
        let routes = PushRoutes(sandbox: Scripted(rejected), production: Scripted(busy))
        #expect(await routes.send(pushMessage(), to: .sandbox) == busy)
        let neither = PushRoutes(sandbox: Scripted(rejected), production: Scripted(rejected))
        #expect(await neither.send(pushMessage(), to: .production) == rejected)
    }

    @Test func doesNotHandATokenToAnEndpointOfTheOtherEnvironment() async {
        let routes = PushRoutes(sandbox: Scripted(rejected), production: SimulatedPush(log: quietLog))
        #expect(await routes.send(pushMessage(), to: .sandbox) == rejected)
    }

    @Test func blamesNoDeviceWhileMostTokensAreRejected() async {
        let metrics = MetricsRegistry()
        let routes = PushRoutes(
            sandbox: Scripted(rejected), production: Scripted(rejected), log: quietLog, metrics: metrics)
        for _ in 1...19 { #expect(await routes.send(pushMessage(), to: .sandbox) == rejected) }
        #expect(metrics.exposition().contains(#"alfred_push_token_rejection_storm{environment="sandbox"} 0"#))
        let storm = PushAnswer.tokenRejected(code: "APNS_BADDEVICETOKEN", isStorm: true)
        #expect(await routes.send(pushMessage(), to: .sandbox) == storm)
        #expect(metrics.exposition().contains(#"alfred_push_token_rejection_storm{environment="sandbox"} 1"#))
        // The other environment has a count of its own.
        #expect(await routes.send(pushMessage(), to: .production) == rejected)
    }

    @Test func aStormEndsWhenItsTenMinutesArePast() {
        let clock = Mutex(ContinuousClock.now)
        let watch = RejectionWatch(metrics: MetricsRegistry(), log: nil) { clock.withLock { $0 } }
        for _ in 1...30 { _ = watch.saw(rejection: true, in: .sandbox) }
        #expect(watch.saw(rejection: true, in: .sandbox))
        clock.withLock { $0 += .seconds(660) }
        #expect(!watch.saw(rejection: true, in: .sandbox))
        for _ in 1...30 { _ = watch.saw(rejection: false, in: .sandbox) }
        #expect(!watch.saw(rejection: true, in: .sandbox))
    }
}
