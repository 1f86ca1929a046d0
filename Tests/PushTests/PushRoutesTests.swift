import AsyncHTTPClient
import Foundation
import HostRuntime
import Testing

@testable import Push

@Suite struct PushRoutesTests {
    private func configuration(_ variables: [String: String]) -> PushConfiguration {
        var reader = ConfigurationReader(
            EnvironmentSource.load(process: .worker, environment: variables, directory: "/"))
        return PushConfiguration(reading: &reader)
    }

    private let message = PushMessage(id: UUID(), deviceToken: "t", title: "a", body: "b", requestID: "r")
    private let log = HostLog(process: .worker, sink: LogSink { _ in })

    @Test func simulatesInLocalWhereNothingIsConfigured() async throws {
        let routes = try PushRoutes(
            configuration(["APNS_SANDBOX_ENDPOINT": "https://push.test/push"]), client: .shared, log: log)
        #expect(routes.sandbox is EndpointPush)
        #expect(await routes.production.send(message) == .simulated)
    }

    @Test func failsOutsideLocalWhereNothingIsConfigured() async throws {
        let routes = try PushRoutes(configuration(["ALFRED_ENV": "production"]), client: .shared, log: log)
        #expect(await routes.sandbox.send(message) == .refused(code: "APNS_NOT_CONFIGURED", deviceIsGone: false))
    }

    @Test func refusesDirectDeliveryWhichThisVersionCannotDo() throws {
        // A P-256 key made for this test.
        let key = try #require(Self.privateKey)
        let direct = configuration([
            "APNS_KEY_ID": "ABCDEFGHIJ", "APNS_TEAM_ID": "ABCDEFGHIJ", "APNS_TOPIC": "app.alfred",
            "APNS_AUTH_KEY_P8": key,
        ])
        #expect(direct.direct != nil)
        #expect(throws: ConfigurationError.self) { try PushRoutes.check(direct) }
        #expect(throws: Never.self) { try PushRoutes.check(configuration([:])) }
    }

    /// PKCS #8 with the curve's identifiers and a key of ones: only its shape is looked at here.
    private static var privateKey: String? {
        let head: [UInt8] = [
            0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
            0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
        ]
        let text = Data(head + [UInt8](repeating: 1, count: 32)).base64EncodedString()
        return "-----BEGIN PRIVATE KEY-----\n\(text)\n-----END PRIVATE KEY-----\n"
    }
}
