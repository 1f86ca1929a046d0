import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import LLMGateway

/// POST `/v1/assistant/query`: a question about a day of the calendar.
struct AssistantQuery: Sendable {
    /// The one thing that can be asked for, whatever the day.
    static let capability = "meetings_today"
    static let maximumQuery = 2000

    let connectors: ConnectorRepository
    let preferences: PreferencesRepository
    let sessions: AssistantSessions
    let audit: AuditTrail
    let enclave: any EnclavePort
    let brain: any AssistantBrain
    let now: @Sendable () -> Date

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let (query, asked) = try Self.fields(call.body)
        let session = asked ?? UUID()
        let found =
            if asked == nil {
                AssistantSessions.Found(stored: nil, memory: .empty, wasReset: false)
            } else {
                try await sessions.load(session, of: user, call)
            }
        let chosen = try await stored(call) { () throws(StorageError) in try await preferences.getOrCreate(user.uuid) }
        let clock = WallClock(timeZone: chosen.timeZone)
        let today = clock.reading(at: now()).day
        let day = try Self.day(asked: query, today: today, found.memory)

        let connector = try await calendar(of: user, call)
        let meetings = try await meetings(on: day, clock, user, connector, call)
        let question = AssistantQuestion(
            user: user, query: query, day: day, today: today, clock: clock, timeZone: chosen.timeZone,
            meetings: meetings, memory: found.memory, requestID: call.requestID, trace: call.trace)
        let reply = await brain.reply(to: question)
        let moment = now()
        let kept = await sessions.keep(found, session, of: user, call) { memory in
            memory.append(query: query, summary: reply.text.summary, capability: Self.capability, day: day, at: moment)
        }
        await audit.write(
            .assistantQuery(
                AuditAssistantQuery(
                    source: "calendar", requestID: call.requestID.text, session: session, turnCount: kept.turnCount,
                    expiresAt: kept.expiresAt, isPersisted: kept.expiresAt != nil, wasReset: found.wasReset,
                    attestedMeasurement: await enclave.attestedMeasurement, usedFallback: reply.source == .fallback,
                    llmError: reply.modelError, model: reply.audit)), for: user, call)
        return .json(Self.answer(reply, session: session, day: day))
    }

    /// The question and, if it goes on with a conversation, which.
    private static func fields(_ body: RequestFields) throws(APIError) -> (query: String, session: UUID?) {
        let query = try body.text("query").trimmedOfWhiteSpace
        var session: UUID?
        if let text = try body.optionalText("session_id") {
            guard let id = UUID(uuidString: text) else { throw APIError(.invalidRequestBody, field: "session_id") }
            session = id
        }
        guard (1...maximumQuery).contains(query.unicodeScalars.count) else { throw APIError(.invalidQuery) }
        return (query, session)
    }

    /// The day that the question is about, or that the conversation was about.
    private static func day(
        asked query: String, today: LocalDay, _ memory: AssistantMemory
    ) throws(APIError) -> LocalDay {
        let words = QueryWords(query)
        let last = memory.turns.last.flatMap { LocalDay($0.calendarDay) }
        let isFollowUp = last != nil && words.isFollowUp(today: today)
        guard words.isAboutMeetings || isFollowUp else { throw APIError(.unsupportedAssistantQuery) }
        switch words.day(today: today) {
        case .on(let day): return day
        case .none: return words.isAboutMeetings ? today : last ?? today
        case .impossible: throw APIError(.unsupportedAssistantQuery)
        }
    }

    private func calendar(of user: UserID, _ call: APICall) async throws(APIError) -> Connector {
        let all = try await stored(call) { () throws(StorageError) in try await connectors.list(of: user.uuid) }
        guard let connector = all.first(where: { $0.provider == .google && $0.status == .active }) else {
            throw APIError(.googleConnectorNotActive)
        }
        guard connector.hasCalendar else { throw APIError(.insufficientScopes) }
        return connector
    }

    private func meetings(
        on day: LocalDay, _ clock: WallClock, _ user: UserID, _ connector: Connector, _ call: APICall
    ) async throws(APIError) -> [MeetingMaterial] {
        do throws(EnclaveCallError) {
            return try await CalendarDay(enclave: enclave).meetings(
                on: day, by: clock, of: user, ConnectorID(connector.id), context: call.enclaveContext)
        } catch {
            call.note(error, during: "google.get")
            if error == .failed(EnclaveFailure(.reconnectRequired)) {
                _ = try await stored(call) { () throws(StorageError) in
                    try await connectors.markReconnectRequired(
                        connector.id, of: user.uuid, expectedVersion: connector.recordVersion,
                        reason: "invalid_grant")
                }
            }
            throw APIError(error, during: .calendar)
        }
    }

    private static func answer(_ reply: AssistantReply, session: UUID, day: LocalDay) -> JSONValue {
        .object([
            "session_id": .string(session.lowercased), "capability": .string(capability),
            "display_text": .string(reply.text.summary),
            "payload": .object([
                "title": .string(reply.text.title), "summary": .string(reply.text.summary),
                "key_points": .array(reply.text.keyPoints.map(JSONValue.string)),
                "follow_ups": .array(reply.text.followUps.map(JSONValue.string)), "calendar_day": .string(day.text),
            ]), "output_source": .string(reply.source.rawValue),
        ])
    }
}
