import Foundation
import SimulatorKit

/// The story that the whole system is for: connect Google once, be told of meetings and of mail that cannot wait, ask,
/// take the access back.
public struct Story: Sendable {
    /// One step: what the person sees, where it happens, and the doing of it; `run` returns what to show.
    public struct Step: Sendable {
        public let title: String
        public let place: String
        var needsBrief = false
        public let run: @Sendable () async throws -> String
    }

    /// The user of the story.
    public let phone: Phone
    private let control: SimulatorControl
    private let device: String
    private let deviceToken: String
    private let account: String
    private let conversation = UUID().uuidString.lowercased()

    /// A story of one user on `stack`; every name is fresh, so that it can be told again and again.
    public init(on stack: LocalStack, subject: String? = nil) async throws {
        let tag = String(UUID().uuidString.lowercased().prefix(8))
        control = try await stack.control
        phone = try await stack.phone(subject: subject ?? "user_\(tag)")
        device = "iphone-\(tag)"
        deviceToken = (0..<32).map { _ in String(format: "%02x", UInt8.random(in: 0...255)) }.joined()
        account = "ada.\(tag)@example.com"
    }

    /// All steps but the morning brief, which waits for the next full minute, and the audit trail that has to tell of it.
    public var stepsWithoutBrief: [Step] { steps.filter { !$0.needsBrief } }

    /// All steps, in order.
    public var steps: [Step] {
        [
            Step(title: "A user signs in", place: "phone → Clerk → API (checks the RS256 token)", run: signIn),
            Step(
                title: "connects Google",
                place: "phone → API → enclave (PKCE) → Google's consent page → bridge → API → enclave → Google",
                run: connect),
            Step(
                title: "has a meeting in 15 minutes", place: "Google Calendar (simulated)", run: scheduleMeeting),
            Step(title: "has mail that cannot wait", place: "Gmail (simulated)", run: receiveMail),
            Step(
                title: "registers the iPhone", place: "phone → API → enclave (seals the device token)", run: register),
            Step(
                title: "gets a reminder",
                place: "worker → enclave → Google Calendar; worker → APNs (simulated)", run: awaitReminder),
            Step(
                title: "is told of the urgent mail",
                place: "worker → enclave → Gmail; worker → OpenRouter (simulated); worker → APNs", run: awaitMail),
            Step(
                title: "asks for today's meetings", place: "phone → API → enclave → Google Calendar; API → OpenRouter",
                run: askForToday),
            Step(
                title: "asks on, about tomorrow",
                place: "phone → API (opens the sealed conversation) → enclave → Google Calendar; API → OpenRouter",
                run: askForTomorrow),
            Step(
                title: "gets the morning brief, due at the next full minute",
                place: "worker → enclave → Calendar and Gmail; worker → OpenRouter; worker → APNs", needsBrief: true,
                run: awaitBrief),
            Step(title: "reads the audit trail", place: "phone → API", needsBrief: true, run: readAudit),
            Step(
                title: "revokes the access", place: "phone → API → enclave → Google (revoke)", run: revoke),
        ]
    }

    @Sendable private func signIn() async throws -> String {
        let answer = try await phone.expect("GET", "/v1/preferences")
        try await phone.switchOffQuietHours()
        let minutes = answer.json["meeting_reminder_minutes"] ?? "?"
        return "reminders \(minutes) minutes before a meeting; quiet hours are off for this story"
    }

    @Sendable private func connect() async throws -> String {
        try await control.setConsent(ConsentPolicy(account: account))
        let answer = try await phone.connectGoogle()
        guard answer.status == 200, answer.text("status") == "ACTIVE" else {
            throw StackError("connectors/google/callback answered \(answer.status) \(answer.errorCode ?? "")")
        }
        return
            "connector \(answer.text("connector_id") ?? "") is ACTIVE; the refresh token never left the enclave unsealed"
    }

    @Sendable private func scheduleMeeting() async throws -> String {
        let start = Date().addingTimeInterval(15 * 60 + 2)
        let format = ISO8601DateFormatter()
        try await control.setEvents(
            account: account,
            [
                CalendarEvent(
                    id: "story\(Int(start.timeIntervalSince1970))", summary: "Design review",
                    start: .init(dateTime: format.string(from: start)),
                    end: .init(dateTime: format.string(from: start.addingTimeInterval(1800))))
            ])
        return "“Design review” at \(format.string(from: start))"
    }

    @Sendable private func receiveMail() async throws -> String {
        try await control.setMessages(
            account: account,
            [
                GmailMessage(
                    id: "story1", snippet: "Our flight was moved to 18:10, please confirm the new seats by noon.",
                    internalDate: Int(Date().timeIntervalSince1970 * 1000),
                    headers: [
                        .init(name: "From", value: "Grace <grace@example.com>"),
                        .init(name: "Subject", value: "Flight changed"),
                    ])
            ])
        try await control.setOpenRouter(OpenRouterBehaviour(answers: StoryModel.answers))
        return "“Flight changed” from Grace, unread"
    }

    @Sendable private func register() async throws -> String {
        try await phone.register(device: device, token: deviceToken)
        // At the next full minute, if that leaves time for all that comes before it.
        let due = Date(timeIntervalSince1970: ((Date().timeIntervalSince1970 + 5) / 60).rounded(.up) * 60)
        let time = String(ISO8601DateFormatter().string(from: due).dropFirst(11).prefix(5))
        var preferences = try await phone.expect("GET", "/v1/preferences").json
        preferences["morning_brief_local_time"] = time
        _ = try await phone.expect("PUT", "/v1/preferences", preferences)
        return "\(device) is registered; Postgres holds its token sealed; the morning brief is set to \(time) UTC"
    }

    @Sendable private func awaitReminder() async throws -> String {
        try await awaitNotification("the reminder", titled: "Meeting", within: .seconds(30))
    }

    @Sendable private func awaitMail() async throws -> String {
        try await awaitNotification("the urgent mail", titled: "Urgent email", within: .seconds(30))
    }

    @Sendable private func awaitBrief() async throws -> String {
        try await awaitNotification("the morning brief", titled: StoryModel.headline, within: .seconds(90))
    }

    private func awaitNotification(_ what: String, titled title: String, within limit: Duration) async throws -> String
    {
        let token = deviceToken
        let delivery = try await eventually("\(what) on \(device)", within: limit) {
            try await control.deliveries().first { $0.deviceToken == token && $0.title.hasPrefix(title) }
        }
        return "“\(delivery.title)” / “\(delivery.body)”"
    }

    @Sendable private func askForToday() async throws -> String {
        try await ask("What meetings do I have today?", onDayAfter: 0)
    }

    @Sendable private func askForTomorrow() async throws -> String {
        var answers = StoryModel.answers
        answers["meetings_summary"] = StoryModel.tomorrow
        try await control.setOpenRouter(OpenRouterBehaviour(answers: answers))
        return try await ask("And tomorrow?", onDayAfter: 1)
    }

    /// Asks within one conversation; the answer must be a model's, about the day that was meant.
    private func ask(_ query: String, onDayAfter days: Int) async throws -> String {
        let answer = try await phone.expect(
            "POST", "/v1/assistant/query", ["query": query, "session_id": conversation])
        let payload = answer.json["payload"] as? [String: any Sendable]
        let day = payload?["calendar_day"] as? String ?? ""
        guard answer.text("output_source") == "model_output" else {
            throw StackError("the assistant answered without the model")
        }
        // Midnight may have passed since the question was understood.
        let expected = [0.0, -60].map { late in
            let moment = Date().addingTimeInterval(Double(days) * 86_400 + late)
            return String(ISO8601DateFormatter().string(from: moment).prefix(10))
        }
        guard expected.contains(day) else { throw StackError("the assistant answered about \(day)") }
        return "“\(query)” → “\(answer.text("display_text") ?? "")” (\(day))"
    }

    @Sendable private func readAudit() async throws -> String {
        let wanted = [
            "GOOGLE_CONNECT_COMPLETED", "DEVICE_REGISTERED", "NOTIFICATION_DELIVERY_ATTEMPT",
            "AI_WORKER_URGENT_EMAIL_OUTPUT", "AI_ASSISTANT_QUERY", "AI_WORKER_MORNING_BRIEF_OUTPUT",
        ]
        // The delivery is audited once the worker has APNs' answer, a moment after the phone shows it.
        return try await eventually("an audit trail with \(wanted.joined(separator: ", "))", within: .seconds(10)) {
            let answer = try await phone.expect("GET", "/v1/audit-events")
            let items = answer.json["items"] as? [[String: any Sendable]] ?? []
            let types = items.compactMap { $0["event_type"] as? String }
            return wanted.allSatisfy(types.contains) ? types.reversed().joined(separator: ", ") : nil
        }
    }

    @Sendable private func revoke() async throws -> String {
        let list = try await phone.expect("GET", "/v1/connectors")
        let items = list.json["items"] as? [[String: any Sendable]] ?? []
        guard let id = items.first?["connector_id"] as? String else {
            throw StackError("the list of connectors is empty")
        }
        let answer = try await phone.expect("DELETE", "/v1/connectors/\(id)")
        guard answer.text("status") == "REVOKED" else { throw StackError("the connector is not REVOKED") }
        guard try await control.isRevoked(account: account) else {
            throw StackError("Google still honours the grant of \(account)")
        }
        try await control.setOpenRouter(OpenRouterBehaviour())
        return "connector \(id) is REVOKED, and Google confirms that the grant is gone"
    }
}
