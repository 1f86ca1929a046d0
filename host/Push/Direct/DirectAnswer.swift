import Foundation
import HostRuntime

/// What APNs answered.
struct DirectAnswer: Equatable {
    let status: Int
    /// APNs' word for a refusal.
    let reason: String?
    /// Since when an unregistered token is dead.
    let since: Date?
    let retryAfter: Duration?

    init(status: Int, body: [UInt8], retryAfter: String?, now: Date) {
        let content = try? JSONDecoder().decode(Content.self, from: Data(body))
        self.status = status
        // Only a word is taken over: it goes into logs and audit rows.
        reason = content?.reason.flatMap { word in
            (1...48).contains(word.utf8.count) && word.utf8.allSatisfy(Self.isLetterOrDigit) ? word : nil
        }
        since = content?.timestamp.map { Date(timeIntervalSince1970: $0 / 1000) }
        self.retryAfter = RetryAfter.wait(retryAfter, now: now)
    }

    private struct Content: Decodable {
        let reason: String?
        let timestamp: Double?
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    var code: String { reason.map { "APNS_" + $0.uppercased() } ?? "APNS_HTTP_\(status)" }

    /// Whether another provider token would be taken.
    var tokenIsExpired: Bool { status == 403 && reason == "ExpiredProviderToken" }

    /// What it means for notification and device; an expired provider token counts as transient.
    var meaning: PushAnswer {
        switch (status, reason) {
        case (200, _): .delivered
        case (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"): .tokenRejected(code: code, isStorm: false)
        case (410, "Unregistered"), (410, "ExpiredToken"): .unregistered(code: code, since: since)
        case (403, "ExpiredProviderToken"): .transient(code: code, retryAfter: retryAfter)
        case (403, _), (404, _), (405, _), (400, "BadTopic"), (400, "MissingTopic"), (400, "TopicDisallowed"):
            .misconfigured(code: code)
        case (413, _): .refused(code: "APNS_PAYLOADTOOLARGE", deviceIsGone: false)
        // 502 and 504 are no answers of APNs but of something on the way.
        case (429, _), (500, _), (502, _), (503, _), (504, _): .transient(code: code, retryAfter: retryAfter)
        default: .refused(code: code, deviceIsGone: false)
        }
    }
}
