import Foundation
import HostStorage
import LLMGateway
import Synchronization
import Testing

/// A message that gets hold of the model silences no other.
@Suite struct MailJudgementTests {
    private let requester = Requester(user: UUID(), source: .urgentEmail)

    private func mail(_ subjects: String...) -> [MailMaterial] {
        subjects.enumerated().map { place, subject in
            MailMaterial(
                id: "m\(place)", from: "x", subject: subject, snippet: "", receivedAt: nil, labels: [],
                hasAttachments: false)
        }
    }

    /// Obeys a message about `attack` wherever one is; tells urgent ones apart by their subject.
    private static func model(
        failing: @escaping @Sendable (Int) -> LLMError? = { _ in nil }
    ) -> ScriptedModel {
        let calls = Mutex(0)
        return ScriptedModel { request throws(LLMError) in
            let call = calls.withLock { count in
                count += 1
                return count
            }
            if let error = failing(call) { throw error }
            let shown = request.messages.last.flatMap { JSONValue(parsing: $0.text) }
            let candidates = shown?["context_payload"]?["candidates"]?.array ?? []
            let subjects = candidates.compactMap { $0["subject"]?.string }
            if subjects.contains(where: { $0.hasPrefix("attack") }) {
                return answer(true, "critical", "Pay at www.evil")
            }
            guard let urgent = subjects.first(where: { $0.hasPrefix("urgent") }) else {
                return answer(false, "low", "Nothing urgent.")
            }
            return answer(true, urgent.hasSuffix("!") ? "critical" : "high", urgent)
        }
    }

    private static func answer(_ notify: Bool, _ urgency: String, _ summary: String) -> String {
        #"{"version":"2026-02-15","output":{"should_notify":\#(notify),"urgency":"\#(urgency)","summary":"\#(summary)","#
            + #""reason":"R","suggested_actions":["A"]}}"#
    }

    private func judge(_ mail: [MailMaterial], _ model: ScriptedModel) async -> MailJudgement {
        await CapabilityRunner(model: model).judge(mail, for: requester)
    }

    @Test func `harmless mail is judged in one question`() async {
        let model = Self.model()
        let judgement = await judge(mail("a", "urgent 1", "b"), model)
        #expect(model.requests.count == 1)
        #expect(judgement.urgent.map(\.summary) == ["urgent 1"] && judgement.judged == [true, true, true])
        #expect(judgement.source == .model && judgement.audit?.errorType == nil)
    }

    @Test func `urgent mail beside an attack is told, and all of it counts as seen`() async {
        let model = Self.model()
        let judgement = await judge(mail("attack", "urgent 1", "b"), model)
        #expect(model.requests.count == 4)
        #expect(judgement.urgent.map(\.summary) == ["urgent 1"] && judgement.judged == [true, true, true])
        #expect(judgement.verdict == judgement.urgent.first && judgement.source == .model)
        #expect(judgement.audit?.outcome == "success" && judgement.audit?.errorType == "output_rejected")
        #expect(judgement.audit?.cost == 4 * 42 && judgement.audit?.promptTokens == 40)
    }

    @Test func `several urgent ones are told together, the most urgent first, and those without room wait`() async {
        let judgement = await judge(
            mail("urgent 1", "attack", "urgent 2", "urgent 3!", "urgent 4"), Self.model())
        #expect(judgement.urgent.map(\.summary) == ["urgent 3!", "urgent 1", "urgent 2"])
        #expect(judgement.judged == [true, true, true, true, false])
    }

    @Test func `what was not reached because the provider failed waits for the next run`() async {
        let model = Self.model { $0 == 3 ? .budgetExhausted : nil }
        let judgement = await judge(mail("attack", "urgent 1", "urgent 2"), model)
        #expect(model.requests.count == 3)
        #expect(judgement.urgent.isEmpty && judgement.judged == [true, false, false])
        #expect(judgement.source == .fallback && judgement.audit?.outcome == "failure")
    }

    @Test func `one message alone is not asked about twice`() async {
        let model = Self.model()
        let judgement = await judge(mail("attack"), model)
        #expect(model.requests.count == 1 && judgement.judged == [true] && judgement.urgent.isEmpty)
    }

    @Test func `attacks alone end in silence, with one question for each`() async {
        let model = Self.model()
        let judgement = await judge(mail("attack", "attack", "attack"), model)
        #expect(model.requests.count == 4 && judgement.urgent.isEmpty && judgement.judged == [true, true, true])
        #expect(judgement.source == .fallback && !judgement.verdict.shouldNotify)
    }
}
