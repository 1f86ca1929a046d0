import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime

/// A meeting of the day that was asked for, its title made harmless for a line of text.
struct AssistantMeeting: Sendable, Equatable {
    let reference: String
    let title: String
    /// Nil for an all-day event.
    let start: Date?
    let end: Date?
    let attendeeCount: Int
}

/// Everything that an answer may be made from.
struct AssistantQuestion: Sendable {
    let user: UserID
    let query: String
    let day: LocalDay
    let today: LocalDay
    let clock: WallClock
    /// In order, at most 20 of them.
    let meetings: [AssistantMeeting]
    /// How many the day has, as far as they were read.
    let meetingCount: Int
    /// Earlier turns of the conversation.
    let memory: AssistantMemory
    let context: CallContext
}

/// What is answered.
struct AssistantReply: Sendable, Equatable {
    let title: String
    let summary: String
    let keyPoints: [String]
    let followUps: [String]
    /// Otherwise it is the deterministic one.
    let isModelOutput: Bool
    /// Why there is no model output, a fixed word; nil when none was wanted.
    let modelError: String?
}

/// Makes an answer of a question; it never fails, whatever it uses.
protocol AssistantBrain: Sendable {
    func reply(to question: AssistantQuestion) async -> AssistantReply
}

/// The answer that needs no model: counted and listed.
struct DeterministicBrain: AssistantBrain {
    static let maximumKeyPoints = 3

    func reply(to question: AssistantQuestion) async -> AssistantReply {
        let count = question.meetingCount
        let isToday = question.day == question.today
        let when = isToday ? "today" : "on \(question.day.text)"
        let summary =
            switch count {
            case 0: "You have no meetings \(when)."
            case 1: "You have 1 meeting \(when)."
            default: "You have \(count) meetings \(when)."
            }
        return AssistantReply(
            title: isToday ? "Today's meetings" : "Meetings on \(question.day.text)", summary: summary,
            keyPoints: question.meetings.prefix(Self.maximumKeyPoints).map { meeting in
                "\(meeting.start.map { question.clock.text(at: $0) } ?? "All day") - \(meeting.title)"
            },
            followUps: count == 0 ? [] : ["Review your calendar before the first meeting."], isModelOutput: false,
            modelError: nil)
    }
}
