import Foundation
import HostRuntime
import HostStorage

/// One request on its way through models and tries; it leaves nothing set aside behind.
struct GatewayRun {
    /// What must be left of the deadline for a repair turn.
    static let leastForRepair = Duration.seconds(3)

    let gateway: LLMGateway
    let request: LLMRequest
    let end: ContinuousClock.Instant
    private(set) var tries = 0
    private(set) var totalCost = 0
    private(set) var isBudgetRouted = false
    private(set) var lastModel: String?
    private(set) var usage = TokenUsage()
    private var admission = Admission(id: "", models: [], reserved: 0, window: 0, probe: nil, isBudgetRouted: false)
    /// Whether what is set aside was used by a try, at this cost; nil when unknown.
    private var used: (cost: Int?, isUsed: Bool) = (0, false)
    private var outcomes: [String: ModelOutcome.Result] = [:]
    private var probe: String?

    init(gateway: LLMGateway, request: LLMRequest, end: ContinuousClock.Instant) {
        self.gateway = gateway
        self.request = request
        self.end = end
    }

    private var left: Duration { end - .now }

    // MARK: - What is asked of the reliability layer

    func claim(
        cacheKey: String = "", models: [String]? = nil, messages: [LLMMessage]? = nil
    ) -> Claim {
        let bytes = (messages ?? request.messages).reduce(request.output.schema.utf8.count) { $0 + $1.text.utf8.count }
        func priced(_ model: String) -> PricedModel {
            PricedModel(
                name: model,
                amount: gateway.prices.ceiling(
                    of: model, messageBytes: bytes,
                    maximumOutputTokens: gateway.configuration.maximumOutputTokens))
        }
        return Claim(
            userHash: UserKeys.modelDigest(of: request.user),
            cacheKey: cacheKey, models: (models ?? gateway.configuration.models).map(priced),
            budgetModel: priced(gateway.budgetModel), ownProbe: probe ?? "")
    }

    func admission(of verdict: Verdict) throws(LLMError) -> Admission {
        switch verdict {
        case .go(let admission): return admission
        case .cached: throw .noModel
        case .rateLimited(let scope, let seconds): throw .rateLimited(scope, retryAfterSeconds: seconds)
        case .circuitOpen(let seconds): throw .circuitOpen(retryAfterSeconds: seconds)
        case .budgetExhausted: throw .budgetExhausted
        }
    }

    // MARK: - Tries

    mutating func perform(_ first: Admission, cacheKey: String) async throws(LLMError) -> LLMCompletion {
        take(first)
        let outcome: Result<LLMCompletion, LLMError>
        do throws(LLMError) {
            outcome = .success(try await tryModels())
        } catch {
            outcome = .failure(error)
        }
        var settlement = Settlement(admission: admission, cost: used.isUsed ? used.cost : 0)
        settlement.outcomes = outcomes.map { ModelOutcome(model: $0.key, result: $0.value, isProbe: $0.key == probe) }
        if let probe, outcomes[probe] == nil {
            settlement.outcomes.append(ModelOutcome(model: probe, result: .none, isProbe: true))
        }
        let answer = admission.isLocal ? nil : try? outcome.get()
        await gateway.settle(
            FinishedRequest(settlement: settlement, answer: answer, request: request, cacheKey: cacheKey))
        return try outcome.get()
    }

    private mutating func tryModels() async throws(LLMError) -> LLMCompletion {
        var queue = admission.models
        var last = LLMError.noModel
        while let model = queue.first {
            queue.removeFirst()
            var retries = 0
            while true {
                guard left > .zero else { throw .deadlineExceeded }
                if used.isUsed {
                    do throws(LLMError) { try await reserve(models: [model] + queue) } catch { throw last }
                    guard admission.models.contains(model) else {
                        queue = admission.models
                        break
                    }
                }
                let result = await send(request.messages, model)
                if case .answered(let text) = result.ending { return try await accept(text, result, model) }
                last = result.error
                guard !Task.isCancelled, last != .cancelled else { throw .cancelled }
                if case .failed(let status, _, _) = result.ending, [401, 402, 403].contains(status) { throw last }
                guard result.isRetried, retries < gateway.configuration.maximumRetries else { break }
                let wait = max(
                    gateway.configuration.firstBackoff * (1 << retries) * Double.random(in: 0.75...1.25),
                    result.retryAfter ?? .zero)
                guard wait < left else { break }
                do { try await Task.sleep(for: wait) } catch { throw .cancelled }
                retries += 1
            }
        }
        throw left > .zero ? last : .deadlineExceeded
    }

    private mutating func send(_ messages: [LLMMessage], _ model: String) async -> TryResult {
        let limit = min(gateway.configuration.timeout, left)
        tries += 1
        lastModel = model
        let result = await gateway.client.send(messages, request.output, model: model, within: limit)
        used = (result.cost, result.cost != 0)
        totalCost += result.cost ?? admission.reserved
        usage = result.usage
        if let cost = result.cost, cost > admission.reserved { gateway.report.priceTableWrong(model) }
        outcomes[model] = result.outcome(hadFullTime: limit == gateway.configuration.timeout)
        return result
    }

    // MARK: - Answers

    private mutating func accept(
        _ text: String, _ result: TryResult, _ model: String
    ) async throws(LLMError) -> LLMCompletion {
        let broken = request.output.violations(of: text)
        guard !broken.isEmpty else { return completion(text, result) }
        guard left >= Self.leastForRepair else { throw .outputRejected(broken) }
        let rules = broken.prefix(16).map { "- \($0)" }.joined(separator: "\n")
        let messages =
            request.messages + [
                LLMMessage(.assistant, text),
                LLMMessage(
                    .user, "That answer broke these rules:\n\(rules)\nAnswer again with the corrected JSON only."),
            ]
        do throws(LLMError) {
            try await reserve(models: [model], messages: messages)
        } catch {
            throw .outputRejected(broken)
        }
        guard admission.models.contains(model) else { throw .outputRejected(broken) }
        let repaired = await send(messages, model)
        guard !Task.isCancelled else { throw .cancelled }
        guard case .answered(let second) = repaired.ending else { throw .outputRejected(broken) }
        let stillBroken = request.output.violations(of: second)
        guard stillBroken.isEmpty else { throw .outputRejected(stillBroken) }
        return completion(second, repaired)
    }

    private func completion(_ text: String, _ result: TryResult) -> LLMCompletion {
        LLMCompletion(
            text: text, model: result.model, usage: result.usage, cost: totalCost, isBudgetRouted: isBudgetRouted,
            tries: tries, providerRequestID: result.requestID)
    }

    // MARK: - Money

    /// Settles what a try used and sets aside for the next one; without room nothing is set aside any more.
    private mutating func reserve(models: [String], messages: [LLMMessage]? = nil) async throws(LLMError) {
        let verdict = await gateway.admissions.reserve(
            claim(models: models, messages: messages), previous: admission, cost: used.isUsed ? used.cost : 0)
        used = (0, false)
        admission.id = ""
        take(try admission(of: verdict))
    }

    private mutating func take(_ next: Admission) {
        admission = next
        isBudgetRouted = next.isBudgetRouted
        if let found = next.probe { probe = found }
    }
}

extension TryResult {
    var error: LLMError {
        switch ending {
        case .answered: .noModel
        case .invalid(let payload): .invalidPayload(payload)
        case .failed(let status, let code, _): .provider(status: status, code: code)
        case .timedOut: .timeout
        case .disconnected: .unavailable
        case .cancelled: .cancelled
        }
    }

    /// Whether the same model is worth another try.
    var isRetried: Bool {
        switch ending {
        case .timedOut, .disconnected: true
        case .failed(let status, _, _): [408, 429, 500, 502, 503, 504, 524, 529].contains(status)
        default: false
        }
    }

    /// What the breaker makes of it; our own haste is not the model's failure.
    func outcome(hadFullTime: Bool) -> ModelOutcome.Result {
        switch ending {
        case .answered, .invalid: .succeeded
        case .failed(let status, _, _):
            [401, 402, 403, 408, 429].contains(status) || status >= 500 ? .failed : .succeeded
        case .timedOut: hadFullTime ? .failed : .none
        case .disconnected: .failed
        case .cancelled: .none
        }
    }
}
