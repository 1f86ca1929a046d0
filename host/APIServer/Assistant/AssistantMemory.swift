import Foundation
import HostRuntime

/// What is kept of a conversation, sealed; the last turns only.
struct AssistantMemory: Codable, Sendable, Equatable {
    static let currentVersion = "2026-02-16"
    static let maximumTurns = 6
    static let maximumQuery = 180
    static let maximumSummary = 280

    struct Turn: Codable, Sendable, Equatable {
        let userQuerySnippet: String
        let assistantSummarySnippet: String
        let capability: String
        /// `YYYY-MM-DD`.
        let calendarDay: String
        /// RFC 3339.
        let createdAt: String

        enum CodingKeys: String, CodingKey {
            case userQuerySnippet = "user_query_snippet"
            case assistantSummarySnippet = "assistant_summary_snippet"
            case capability
            case calendarDay = "calendar_day"
            case createdAt = "created_at"
        }
    }

    let version: String
    private(set) var turns: [Turn]

    static let empty = AssistantMemory(version: currentVersion, turns: [])

    private init(version: String, turns: [Turn]) {
        self.version = version
        self.turns = turns
    }

    /// Nil for what is no memory of this version.
    init?(json: [UInt8]) {
        guard let memory = try? JSONDecoder().decode(AssistantMemory.self, from: Data(json)),
            memory.version == Self.currentVersion, memory.turns.count <= Self.maximumTurns
        else { return nil }
        self = memory
    }

    var json: [UInt8] { (try? JSONEncoder().encode(self)).map(Array.init) ?? [] }

    mutating func append(query: String, summary: String, capability: String, day: LocalDay, at now: Date) {
        func cut(_ text: String, _ limit: Int) -> String { String(text.prefix(limit)) }
        let turn = Turn(
            userQuerySnippet: cut(query, Self.maximumQuery), assistantSummarySnippet: cut(summary, Self.maximumSummary),
            capability: capability, calendarDay: day.text, createdAt: now.wholeSeconds)
        turns = Array((turns + [turn]).suffix(Self.maximumTurns))
    }
}
