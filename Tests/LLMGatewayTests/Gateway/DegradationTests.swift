import Foundation
import HostRuntime
import HostStorage
import Testing

@testable import LLMGateway

/// A long row of failures is told once, stands in every audited call while it lasts, and ends with the next success.
@Suite struct DegradationTests {
    private func seconds(_ count: Int) -> ContinuousClock.Instant { start + .seconds(count) }
    private let start = ContinuousClock.now

    @Test func `five failures over two minutes are an alert, and the next success ends it`() {
        let lines = Lines()
        let report = GatewayReport(log: HostLog(process: .worker, sink: lines.sink), metrics: MetricsRegistry())
        for second in [0, 30, 60, 119] {
            #expect(report.note(.timeout, provider: "a", at: seconds(second)) == nil)
        }
        // Our own denials neither count nor end it.
        #expect(report.note(.budgetExhausted, provider: "a", at: seconds(119)) == nil)
        #expect(
            report.note(.unavailable, provider: "b", at: seconds(120))
                == ProviderDegradation(provider: "b", failures: 5, seconds: 120, hasRecovered: false))
        #expect(
            report.note(.timeout, provider: "a", at: seconds(150))
                == ProviderDegradation(provider: "a", failures: 6, seconds: 150, hasRecovered: false))
        #expect(report.note(.cancelled, provider: "a", at: seconds(160)) == nil)
        #expect(
            report.note(nil, provider: "a", at: seconds(200))
                == ProviderDegradation(provider: "a", failures: 6, seconds: 150, hasRecovered: true))
        #expect(report.note(nil, provider: "a", at: seconds(201)) == nil)
        let told = lines.all.filter { $0.contains("llm_provider_degradation") }
        #expect(told.count == 2)
        #expect(told.first?.contains("llm_provider_degradation_alert") == true)
        #expect(told.last?.contains("llm_provider_degradation_recovered") == true)
    }

    @Test func `many failures in a moment, and few in an hour, are none`() {
        let report = GatewayReport(
            log: HostLog(process: .worker, sink: Lines().sink), metrics: MetricsRegistry())
        for _ in 0..<50 { #expect(report.note(.timeout, provider: "a", at: seconds(0)) == nil) }
        #expect(report.note(nil, provider: "a", at: seconds(1)) == nil)
        for second in [10, 1000, 2000, 3600] {
            #expect(report.note(.timeout, provider: "a", at: seconds(second)) == nil)
        }
    }

    private struct Degraded: LanguageModel {
        let outcome: Result<LLMCompletion, LLMError>
        let degradation: ProviderDegradation

        func complete(_ request: LLMRequest) async throws(LLMError) -> LLMCompletion { try outcome.get() }
        func respond(to request: LLMRequest) async -> LLMResponse { LLMResponse(outcome, degradation: degradation) }
    }

    @Test func `the audited call tells the row, and that it ended`() async {
        let row = ProviderDegradation(provider: "openai", failures: 7, seconds: 301, hasRecovered: false)
        for (outcome, degradation) in [
            (Result<LLMCompletion, LLMError>.failure(.timeout), row),
            (
                .success(LLMCompletion(text: "{}", model: "openai/x")),
                ProviderDegradation(provider: "openai", failures: 7, seconds: 301, hasRecovered: true)
            ),
        ] {
            let result = await CapabilityRunner(model: Degraded(outcome: outcome, degradation: degradation)).run(
                .mail([]), for: Requester(user: UUID(), source: .urgentEmail))
            #expect(
                result.audit?.degradation
                    == AuditDegradation(
                        provider: "openai", failures: 7, seconds: 301, hasRecovered: degradation.hasRecovered))
        }
    }
}
