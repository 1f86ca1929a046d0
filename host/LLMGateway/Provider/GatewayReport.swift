import HostRuntime
import Synchronization

/// What is told of requests: numbers and fixed words, never a prompt, an answer or a user.
final class GatewayReport: Sendable {
    /// Failures one after the other, over at least this long, that are an alert.
    static let alertFailures = 5
    static let alertSpan = Duration.seconds(120)
    private static let operation = "chat"

    private struct Streak {
        var failures = 0
        var since = ContinuousClock.now
        var last = ContinuousClock.now
        var isAlerted = false
    }

    private let log: HostLog
    private let metrics: MetricsRegistry
    private let streak = Mutex(Streak())

    init(log: HostLog, metrics: MetricsRegistry) {
        self.log = log
        self.metrics = metrics
    }

    func priceTableWrong(_ model: String) { log.event("llm_price_table_wrong", .warn, [LogField(.model, model)]) }

    /// Tells of a request; what comes back is the row of failures that is an alert, or was one until now.
    func finished(
        _ request: LLMRequest, _ outcome: Result<LLMCompletion, LLMError>, _ run: GatewayRun, latency: Duration
    ) -> ProviderDegradation? {
        let completion = try? outcome.get()
        var failure: LLMError?
        if case .failure(let error) = outcome { failure = error }
        let asked = run.lastModel ?? gatewayModel(run)
        let answered = completion?.model ?? asked
        count(request, failure, completion, run, (asked, answered), latency)
        var fields: [LogField] = [
            LogField(.source, request.source.rawValue), LogField(.capability, request.output.name),
            LogField(.outcome, failure == nil ? "success" : failure?.isDenial == true ? "denied" : "failure"),
            LogField(.latency, latency), LogField(.provider, Self.provider(answered)), LogField(.model, answered),
            LogField(.inputTokens, Int((completion?.usage ?? run.usage).input)),
            LogField(.outputTokens, Int((completion?.usage ?? run.usage).output)),
            LogField(.cost, Double(run.totalCost) / 1_000_000), LogField(.cacheHit, completion?.isCached ?? false),
            LogField(.budgetRouted, run.isBudgetRouted), LogField(.tries, run.tries),
            LogField(.operationName, Self.operation), LogField(.providerName, Self.provider(asked)),
            LogField(.requestModel, asked), LogField(.responseModel, answered),
        ]
        if let failure {
            fields.append(LogField(.errorType, failure.name))
            if case .provider(let status, _) = failure { fields.append(LogField(.status, status)) }
            if case .invalidPayload(let payload) = failure { fields.append(LogField(.reason, payload.rawValue)) }
        }
        log.with(requestID: request.requestID, trace: request.trace?.child())
            .event("llm_request", failure == nil ? .info : .warn, fields)
        return note(failure, provider: Self.provider(answered))
    }

    private func gatewayModel(_ run: GatewayRun) -> String { run.gateway.configuration.primaryModel }

    private static func provider(_ model: String) -> String { String(model.prefix { $0 != "/" }) }

    private func count(
        _ request: LLMRequest, _ failure: LLMError?, _ completion: LLMCompletion?, _ run: GatewayRun,
        _ models: (asked: String, answered: String), _ latency: Duration
    ) {
        let own: MetricsRegistry.Labels = [
            .capability: request.output.name, .model: models.asked, .outcome: failure?.name ?? "success",
        ]
        metrics.increment(.llmRequests, own)
        metrics.increment(.llmCost, own, by: Double(run.totalCost))
        metrics.increment(.llmCache, [.result: completion?.isCached == true ? "hit" : "miss"])
        switch failure {
        case .rateLimited(let scope, _): metrics.increment(.llmDenied, [.scope: scope.rawValue])
        case .circuitOpen: metrics.increment(.llmDenied, [.scope: "breaker"])
        case .budgetExhausted: metrics.increment(.llmDenied, [.scope: "budget"])
        default: break
        }
        guard run.tries > 0 else { return }
        var labels: MetricsRegistry.Labels = [
            .operationName: Self.operation, .providerName: Self.provider(models.asked), .requestModel: models.asked,
            .responseModel: models.answered, .errorType: failure?.name ?? "",
        ]
        metrics.observe(.modelOperationSeconds, labels, latency)
        guard let usage = completion?.usage else { return }
        labels[.tokenType] = "input"
        metrics.observe(.modelTokens, labels, seconds: Double(usage.input))
        labels[.tokenType] = "output"
        metrics.observe(.modelTokens, labels, seconds: Double(usage.output))
    }

    /// One alert for a long row of failures, one word when it ends; our own denials tell nothing of the provider.
    func note(
        _ failure: LLMError?, provider: String, at now: ContinuousClock.Instant = .now
    ) -> ProviderDegradation? {
        guard failure?.isDenial != true else { return nil }
        let (isNew, degradation) = streak.withLock { streak -> (Bool, ProviderDegradation?) in
            func told(recovered: Bool) -> ProviderDegradation {
                ProviderDegradation(
                    provider: provider, failures: streak.failures,
                    seconds: Int((streak.last - streak.since).components.seconds), hasRecovered: recovered)
            }
            guard failure != nil else {
                defer { streak = Streak() }
                return (streak.isAlerted, streak.isAlerted ? told(recovered: true) : nil)
            }
            if streak.failures == 0 { streak.since = now }
            streak.failures += 1
            streak.last = now
            let wasAlerted = streak.isAlerted
            streak.isAlerted =
                wasAlerted || streak.failures >= Self.alertFailures && now - streak.since >= Self.alertSpan
            return (streak.isAlerted && !wasAlerted, streak.isAlerted ? told(recovered: false) : nil)
        }
        if let degradation, isNew {
            if degradation.hasRecovered {
                log.event("llm_provider_degradation_recovered", .info)
            } else {
                log.event("llm_provider_degradation_alert", .error)
            }
        }
        return degradation
    }
}
