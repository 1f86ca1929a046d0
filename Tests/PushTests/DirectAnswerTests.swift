import Foundation
import Testing

@testable import Push

/// What each answer of APNs means, and what a device is sent.
@Suite struct DirectAnswerTests {
    private func answer(_ status: Int, _ body: String, retryAfter: String? = nil) -> DirectAnswer {
        DirectAnswer(status: status, body: Array(body.utf8), retryAfter: retryAfter, now: Date())
    }

    @Test(arguments: [
        (400, "BadDeviceToken", PushAnswer.tokenRejected(code: "APNS_BADDEVICETOKEN", isStorm: false)),
        (400, "DeviceTokenNotForTopic", .tokenRejected(code: "APNS_DEVICETOKENNOTFORTOPIC", isStorm: false)),
        (410, "Unregistered", .unregistered(code: "APNS_UNREGISTERED", since: nil)),
        (410, "ExpiredToken", .unregistered(code: "APNS_EXPIREDTOKEN", since: nil)),
        (403, "ExpiredProviderToken", .transient(code: "APNS_EXPIREDPROVIDERTOKEN", retryAfter: nil)),
        (403, "InvalidProviderToken", .misconfigured(code: "APNS_INVALIDPROVIDERTOKEN")),
        (403, "BadEnvironmentKeyInToken", .misconfigured(code: "APNS_BADENVIRONMENTKEYINTOKEN")),
        (400, "BadTopic", .misconfigured(code: "APNS_BADTOPIC")),
        (400, "MissingTopic", .misconfigured(code: "APNS_MISSINGTOPIC")),
        (400, "TopicDisallowed", .misconfigured(code: "APNS_TOPICDISALLOWED")),
        (404, "BadPath", .misconfigured(code: "APNS_BADPATH")),
        (405, "MethodNotAllowed", .misconfigured(code: "APNS_METHODNOTALLOWED")),
        (413, "PayloadTooLarge", .refused(code: "APNS_PAYLOADTOOLARGE", deviceIsGone: false)),
        (429, "TooManyRequests", .transient(code: "APNS_TOOMANYREQUESTS", retryAfter: nil)),
        (429, "TooManyProviderTokenUpdates", .transient(code: "APNS_TOOMANYPROVIDERTOKENUPDATES", retryAfter: nil)),
        (500, "InternalServerError", .transient(code: "APNS_INTERNALSERVERERROR", retryAfter: nil)),
        (503, "Shutdown", .transient(code: "APNS_SHUTDOWN", retryAfter: nil)),
        (400, "BadCollapseId", .refused(code: "APNS_BADCOLLAPSEID", deviceIsGone: false)),
        (410, "SomethingElse", .refused(code: "APNS_SOMETHINGELSE", deviceIsGone: false)),
    ])
    func readsAReason(status: Int, reason: String, expected: PushAnswer) {
        #expect(answer(status, #"{"reason":"\#(reason)"}"#).meaning == expected)
    }

    @Test func takesNothingButAWordFromTheBody() {
        #expect(answer(200, "").meaning == .delivered)
        #expect(answer(400, "no json").code == "APNS_HTTP_400")
        #expect(answer(400, #"{"reason":"a word, and more"}"#).code == "APNS_HTTP_400")
        #expect(answer(400, #"{"reason":"\#(String(repeating: "x", count: 49))"}"#).code == "APNS_HTTP_400")
        #expect(answer(403, "").meaning == .misconfigured(code: "APNS_HTTP_403"))
        #expect(answer(429, "", retryAfter: "7").meaning == .transient(code: "APNS_HTTP_429", retryAfter: .seconds(7)))
    }

    @Test func readsSinceWhenADeviceIsGone() {
        let gone = answer(410, #"{"reason":"Unregistered","timestamp":1700000000123}"#)
        #expect(
            gone.meaning
                == .unregistered(code: "APNS_UNREGISTERED", since: Date(timeIntervalSince1970: 1_700_000_000.123)))
    }

    @Test func thePayloadIsExactlyWhatTheAppKnows() throws {
        let id = try #require(UUID(uuidString: "0B9E3F1C-5A8D-4C55-9F0E-000000000001"))
        let bytes = try #require(DirectPayload.body(pushMessage(title: "T/1", body: "B", kind: .urgentEmail, id: id)))
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"alfred":{"kind":"urgent_email","notification_id":"0b9e3f1c-5a8d-4c55-9f0e-000000000001"},"#
                + #""aps":{"alert":{"body":"B","title":"T/1"},"interruption-level":"time-sensitive","#
                + #""relevance-score":1,"sound":"default","thread-id":"urgent_email"}}"#)
        let calm = try #require(DirectPayload.body(pushMessage(kind: .morningBrief)))
        #expect(String(decoding: calm, as: UTF8.self).contains(#""interruption-level":"active","relevance-score":0.5"#))
    }

    @Test func aPayloadOfUpTo4096BytesFits() throws {
        let empty = try #require(DirectPayload.body(pushMessage(body: ""))).count
        #expect(DirectPayload.body(pushMessage(body: String(repeating: "x", count: 4096 - empty)))?.count == 4096)
        #expect(DirectPayload.body(pushMessage(body: String(repeating: "x", count: 4097 - empty))) == nil)
    }

    @Test func notificationsOfOneUserAndActionCollapseAndNoOthers() {
        let user = UUID()
        let one = DirectPayload.collapseID(pushMessage(user: user, actionKey: "a"))
        #expect(one.utf8.count == 43)
        #expect(one == DirectPayload.collapseID(pushMessage(title: "other", user: user, actionKey: "a")))
        #expect(one != DirectPayload.collapseID(pushMessage(user: user, actionKey: "b")))
        #expect(one != DirectPayload.collapseID(pushMessage(user: UUID(), actionKey: "a")))
    }

    @Test func onlyHexOfAPlausibleLengthIsAToken() {
        #expect(DirectPayload.isToken(String(repeating: "aB", count: 32)))
        #expect(DirectPayload.isToken(String(repeating: "0", count: 200)))
        for text in [
            "", String(repeating: "a", count: 63), String(repeating: "a", count: 201),
            String(repeating: "g", count: 64), String(repeating: "a", count: 62) + "/.",
        ] {
            #expect(!DirectPayload.isToken(text))
        }
    }
}
