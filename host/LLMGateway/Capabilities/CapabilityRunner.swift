public import FoundationEssentials
public import HostRuntime

/// Where a text comes from.
public enum OutputSource: String, Sendable, CaseIterable {
    case model = "model_output"
    case fallback = "deterministic_fallback"
}

/// A text that can be shown, and how it came about.
public struct CapabilityResult: Sendable {
    public let output: CapabilityOutput
    public let source: OutputSource
    /// Why there is no model output; nil also when no model was asked.
    public let error: LLMError?
    /// What the model was paid for; nil when it did not answer.
    public let completion: LLMCompletion?
    /// Of the call to the gateway; nil when no model was asked.
    public let elapsed: Duration?
    /// While the provider fails for long, and once when that has ended.
    public var degradation: ProviderDegradation?

    /// A model has seen the material, whether or not its answer could be used.
    public var isJudged: Bool {
        if completion != nil { return true }
        if case .outputRejected = error { return true }
        return error == .invalidPayload(.contentNotJSON)
    }
}

/// Who asks, for whom, and until when.
public struct Requester: Sendable {
    public let user: UUID
    public let source: LLMSource
    public let requestID: RequestID
    public let trace: TraceContext?
    public let deadline: Duration?

    public init(
        user: UUID, source: LLMSource, requestID: RequestID = .new(), trace: TraceContext? = nil,
        deadline: Duration? = nil
    ) {
        self.user = user
        self.source = source
        self.requestID = requestID
        self.trace = trace
        self.deadline = deadline
    }
}

/// Answers with a model's text when it is safe, and with the deterministic one otherwise; it never fails.
public struct CapabilityRunner: Sendable {
    private let model: (any LanguageModel)?
    private let metrics: MetricsRegistry?

    /// Without a model every text is the deterministic one.
    public init(model: (any LanguageModel)?, metrics: MetricsRegistry? = nil) {
        self.model = model
        self.metrics = metrics
    }

    public func run(_ context: CapabilityContext, for requester: Requester) async -> CapabilityResult {
        let result = await answer(context, requester)
        metrics?.increment(
            .llmOutputSource, [.capability: context.capability.rawValue, .source: result.source.rawValue])
        return result
    }

    private func answer(_ context: CapabilityContext, _ requester: Requester) async -> CapabilityResult {
        func fallback(_ error: LLMError?, _ completion: LLMCompletion?, _ elapsed: Duration?) -> CapabilityResult {
            CapabilityResult(
                output: Fallback.output(for: context), source: .fallback, error: error, completion: completion,
                elapsed: elapsed)
        }
        guard let model else { return fallback(nil, nil, nil) }
        let start = ContinuousClock.now
        let response = await model.respond(to: Self.request(context, for: requester))
        let elapsed = ContinuousClock.now - start
        var result: CapabilityResult
        switch response.outcome {
        case .success(let completion):
            // The gateway has checked it; what is shown depends on this check alone.
            switch context.capability.judge(completion.text) {
            case .success(let output):
                result = CapabilityResult(
                    output: output, source: .model, error: nil, completion: completion, elapsed: elapsed)
            case .failure(let rejection): result = fallback(.outputRejected(rejection.rules), completion, elapsed)
            }
        case .failure(let error): result = fallback(error, nil, elapsed)
        }
        result.degradation = response.degradation
        return result
    }

    /// What a model is sent for a context.
    public static func request(_ context: CapabilityContext, for requester: Requester) -> LLMRequest {
        LLMRequest(
            user: requester.user, source: requester.source, messages: Prompt(context).messages,
            output: context.capability.contract, deadline: requester.deadline, requestID: requester.requestID,
            trace: requester.trace)
    }
}

/// An answer that cannot be shown; rules and paths only.
public struct OutputRejection: Error, Sendable, Equatable {
    /// Nil when the shape was right and the content was not.
    public let contract: ContractFailure?
    public let rules: [String]
}

extension Capability {
    /// What the gateway asks for and checks, once more after a repair.
    public var contract: LLMOutputContract {
        LLMOutputContract(name: rawValue, version: Self.contractVersion, schema: schema.text) { answer in
            if case .failure(let rejection) = judge(answer) { rejection.rules } else { [] }
        }
    }

    /// The answer, if it keeps contract and policy.
    public func judge(_ answer: String) -> Result<CapabilityOutput, OutputRejection> {
        do throws(ContractFailure) {
            let output = try CapabilityOutput(reading: answer, of: self)
            let broken = OutputSafety.violations(of: output)
            return broken.isEmpty ? .success(output) : .failure(OutputRejection(contract: nil, rules: broken))
        } catch {
            return .failure(OutputRejection(contract: error, rules: error.rules))
        }
    }
}
