import Foundation

/// What a notification says, sealed in its outbox row.
struct PushPayload: Codable, Equatable, Sendable {
    let title: String
    let body: String
    /// When its job was due; for the measure of delay.
    let dueAt: Date?

    enum CodingKeys: String, CodingKey {
        case title, body
        case dueAt = "due_at"
    }
}
