import EnclaveProtocol
import HostRuntime
import HostStorage
import LLMGateway

/// Everything that an answer may be made from.
struct AssistantQuestion: Sendable {
    let user: UserID
    let query: String
    let day: LocalDay
    let today: LocalDay
    let clock: WallClock
    let timeZone: String
    /// As far as they were read.
    let meetings: [MeetingMaterial]
    /// Earlier turns of the conversation.
    let memory: AssistantMemory
    let requestID: RequestID
    let trace: TraceContext
}

/// What is answered.
struct AssistantReply: Sendable, Equatable {
    let text: MeetingsText
    let source: OutputSource
    /// Why there is no model output, a fixed word; nil when none was wanted.
    let modelError: String?
    /// What is audited of the model's call; nil when none was asked.
    let audit: AuditModel?
}

/// Makes an answer of a question; it never fails, whatever it uses.
protocol AssistantBrain: Sendable {
    func reply(to question: AssistantQuestion) async -> AssistantReply
}

/// Has a language model answer, within what the runner lets through.
struct ModelBrain: AssistantBrain {
    /// A runner without a model counts and lists.
    let runner: CapabilityRunner

    func reply(to question: AssistantQuestion) async -> AssistantReply {
        let turns = question.memory.turns.map { turn in
            ConversationTurn(
                query: turn.userQuerySnippet, answer: turn.assistantSummarySnippet, capability: turn.capability,
                day: turn.calendarDay)
        }
        let result = await runner.run(
            .meetings(
                question.meetings, on: question.day, today: question.today, by: question.clock,
                timeZone: question.timeZone, query: question.query, memory: (question.memory.version, turns)),
            for: Requester(
                user: question.user.uuid, source: .assistantQuery, requestID: question.requestID,
                trace: question.trace))
        guard case .meetings(let text) = result.output else { preconditionFailure("meetings have meetings' output") }
        return AssistantReply(
            text: text, source: result.source, modelError: result.error?.name, audit: result.audit)
    }
}
