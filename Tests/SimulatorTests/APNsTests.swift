import AsyncHTTPClient
import Crypto
import Foundation
import NIOHTTP1
import SimulatorKit
import Testing

@Suite struct APNsTests {
    private static let device = String(repeating: "ab", count: 32)

    private static func base64URL(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    private static func providerToken(_ key: P256.Signing.PrivateKey, issued: Date = Date()) throws -> String {
        let header = base64URL(Data(#"{"alg":"ES256","kid":"ABCDE12345"}"#.utf8))
        let claims = base64URL(Data(#"{"iss":"TEAM123456","iat":\#(Int(issued.timeIntervalSince1970))}"#.utf8))
        let signature = try key.signature(for: Data("\(header).\(claims)".utf8))
        return "\(header).\(claims).\(base64URL(signature.rawRepresentation))"
    }

    private func push(
        _ world: World, id: String = UUID().uuidString, device: String = APNsTests.device, token: String,
        changing: [(String, String)] = [], body: String = #"{"aps":{"alert":{"title":"T","body":"B"}}}"#
    ) async throws -> Answer {
        let changed = changing.map(\.0)
        let headers = [
            ("apns-id", id), ("apns-topic", "com.alfred"), ("apns-push-type", "alert"),
            ("authorization", "bearer " + token),
        ].filter { !changed.contains($0.0) }
        return try await world.send(
            .POST, world.endpoints.apns + "/3/device/" + device, headers: headers + changing.filter { !$0.1.isEmpty },
            body: body)
    }

    @Test func takesANotificationOverHTTP2AndCountsARepeatOnce() async throws {
        try await withWorld { world in
            let key = P256.Signing.PrivateKey()
            try await world.control.setProviderKey(pem: key.publicKey.pemRepresentation)
            let token = try Self.providerToken(key)
            let id = UUID().uuidString
            let answer = try await push(world, id: id, token: token)
            #expect(answer.status == 200 && answer.version == .http2)
            #expect(answer.headers.first(name: "apns-id") == id && answer.body.isEmpty)
            #expect(try await push(world, id: id, token: token).status == 200)
            #expect(try await push(world, token: token).status == 200)
            let deliveries = try await world.control.deliveries()
            #expect(deliveries.map(\.count) == [2, 1])
            #expect(deliveries[0].title == "T" && deliveries[0].body == "B" && !deliveries[0].contentChanged)
            let foreign = try Self.providerToken(P256.Signing.PrivateKey())
            let refused = try await push(world, token: foreign)
            #expect(refused.status == 403 && refused["reason"] == "InvalidProviderToken")
        }
    }

    @Test func refusesWhatAppleRefuses() async throws {
        try await withWorld { world in
            let token = try Self.providerToken(P256.Signing.PrivateKey())
            func reason(_ status: Int, _ answer: Answer) -> String? { answer.status == status ? answer["reason"] : nil }
            #expect(reason(400, try await push(world, device: "xyz", token: token)) == "BadDeviceToken")
            #expect(reason(400, try await push(world, id: "1", token: token)) == "BadMessageId")
            #expect(
                reason(400, try await push(world, token: token, changing: [("apns-topic", "")])) == "MissingTopic")
            #expect(
                reason(403, try await push(world, token: token, changing: [("authorization", "")]))
                    == "MissingProviderToken")
            let old = try Self.providerToken(P256.Signing.PrivateKey(), issued: Date().addingTimeInterval(-3700))
            #expect(reason(403, try await push(world, token: old)) == "ExpiredProviderToken")
            let long = #"{"aps":{"alert":"\#(String(repeating: "x", count: 4096))"}}"#
            #expect(reason(413, try await push(world, token: token, body: long)) == "PayloadTooLarge")
            try await world.control.setDevice(Self.device, .unregistered(sinceUnixMilliseconds: 1_700_000_000_000))
            let gone = try await push(world, token: token)
            #expect(reason(410, gone) == "Unregistered")
            #expect(try gone.decode(JSONValue.self)["timestamp"]?.integer == 1_700_000_000_000)
            #expect(try await world.control.deliveries().isEmpty)
        }
    }

    @Test func appleSpeaksHTTP2Only() async throws {
        try await withWorld(version: .http1Only) { world in
            let answer = try await push(world, token: try Self.providerToken(P256.Signing.PrivateKey()))
            #expect(answer.status == 505 && answer.version == .http1_1)
        }
    }

    private func endpoint(_ world: World, key: String?, title: String = "T", extra: String = "") async throws -> Answer
    {
        try await world.send(
            .POST, world.endpoints.apns + "/push",
            headers: [("authorization", "Bearer secret")] + (key.map { [("idempotency-key", $0)] } ?? []),
            body: #"{"device_token":"d1","title":"\#(title)","body":"B"\#(extra)}"#)
    }

    @Test(arguments: ["http1", "http2"])
    func genericEndpointCountsOncePerKey(_ version: String) async throws {
        try await withWorld(version: version == "http1" ? .http1Only : .automatic) { world in
            let answer = try await endpoint(world, key: "k1")
            #expect(answer.status == 200 && answer.body == Data(#"{"ok":true}"#.utf8))
            _ = try await endpoint(world, key: "k1")
            _ = try await endpoint(world, key: "k2")
            #expect(try await world.control.deliveries().map(\.count) == [2, 1])
            #expect(try await endpoint(world, key: "k3", extra: #","more":1"#).status == 400)
            #expect(try await world.control.issuedSecrets().contains { $0.kind == .pushBearer && $0.value == "secret" })
        }
    }

    @Test func answersManyAtOnceAndLosesNone() async throws {
        try await withWorld { world in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<300 {
                    group.addTask { try await endpoint(world, key: "k\(index % 150)").status }
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await world.control.deliveries().map(\.count) == Array(repeating: 2, count: 150))
        }
    }

    @Test func aWaitingTestHearsOfTheNextDelivery() async throws {
        try await withWorld { world in
            async let waiting = world.control.nextDelivery(after: 0, deadline: .seconds(20))
            _ = try await endpoint(world, key: "k1", title: "First")
            #expect(try await waiting?.title == "First")
            #expect(try await world.control.nextDelivery(after: 1, deadline: .milliseconds(50)) == nil)
            _ = try await endpoint(world, key: "k1", title: "Changed")
            #expect(try await world.control.nextDelivery(after: 1, deadline: .milliseconds(50)) == nil)
            #expect(try await world.control.deliveries().first?.contentChanged == true)
        }
    }
}
