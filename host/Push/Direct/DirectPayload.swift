import Crypto
import Foundation

/// The JSON that a device gets, and the headers that depend on the notification.
enum DirectPayload {
    /// Longest payload that APNs takes.
    static let maximumBytes = 4096

    /// The body; nil when it is longer than APNs takes.
    static func body(_ message: PushMessage) -> [UInt8]? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(Body(message)), data.count <= maximumBytes else { return nil }
        return Array(data)
    }

    /// base64url of SHA-256 of user and action: 43 characters, the same for every repeat.
    static func collapseID(_ message: PushMessage) -> String {
        let text = "\(message.user.uuidString.lowercased())\n\(message.actionKey)"
        return Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Whether APNs could know the token at all.
    static func isToken(_ text: String) -> Bool {
        (64...200).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0)
            }
    }

    private struct Body: Encodable {
        struct Alert: Encodable {
            let title: String
            let body: String
        }

        struct APS: Encodable {
            let alert: Alert
            let sound = "default"
            let thread: String
            let level: String
            let relevance: Double

            enum CodingKeys: String, CodingKey {
                case alert, sound
                case thread = "thread-id"
                case level = "interruption-level"
                case relevance = "relevance-score"
            }
        }

        struct Alfred: Encodable {
            let kind: String
            let notification: String

            enum CodingKeys: String, CodingKey {
                case kind
                case notification = "notification_id"
            }
        }

        let aps: APS
        let alfred: Alfred

        init(_ message: PushMessage) {
            let isUrgent = message.kind.isTimeSensitive
            aps = APS(
                alert: Alert(title: message.title, body: message.body), thread: message.kind.rawValue,
                level: isUrgent ? "time-sensitive" : "active", relevance: isUrgent ? 1 : 0.5)
            alfred = Alfred(kind: message.kind.rawValue, notification: message.id.uuidString.lowercased())
        }
    }
}
