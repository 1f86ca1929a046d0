public import LLMGateway
import FoundationEssentials
import Synchronization

/// Asks a real model, through the gateway's tries and repair, and judges what it says like the product.
public struct LiveEvaluation: Sendable {
    private let model: any LanguageModel
    private let spent: @Sendable () -> Int
    private let repeats: Int
    private let leastPassRate: Double

    /// `spent` tells the micro-dollars that the model has cost so far.
    public init(
        _ model: any LanguageModel, repeats: Int, leastPassRate: Double, spent: @escaping @Sendable () -> Int
    ) {
        self.model = model
        self.repeats = repeats
        self.leastPassRate = leastPassRate
        self.spent = spent
    }

    /// The cases one after the other, each as often as asked for, until the money is used up.
    public func run(_ cases: [EvaluationCase]) async -> [CaseResult] {
        var results: [CaseResult] = []
        var stopped: String?
        for evaluated in cases {
            var runs: [CaseRun] = []
            while stopped == nil, runs.count < repeats {
                guard let run = await self.run(evaluated) else {
                    stopped = "the limit leaves no room for another call"
                    break
                }
                runs.append(run)
            }
            let isComplete = runs.count == repeats
            results.append(
                CaseResult(
                    evaluated: evaluated, runs: runs, leastPassRate: leastPassRate,
                    stopped: isComplete ? nil : stopped))
        }
        return results
    }

    /// Nil when there is no money left for it.
    private func run(_ evaluated: EvaluationCase) async -> CaseRun? {
        let heard = Heard()
        let (before, start) = (spent(), ContinuousClock.now)
        let request = request(for: evaluated, heard)
        let outcome = await model.respond(to: request).outcome
        var call = CaseRun.Call(latency: ContinuousClock.now - start, cost: spent() - before)
        var run: CaseRun
        switch (outcome, heard.last) {
        case (.success(let completion), _):
            call.usage = completion.usage
            call.tries = completion.tries
            run = judge(completion.text, evaluated, completion.model)
        // The gateway refused what the model said, twice.
        case (.failure(.outputRejected), let answer?): run = judge(answer, evaluated, "refused output")
        case (.failure(.budgetExhausted), _): return nil
        case (.failure(let error), _): run = Evaluation.unanswered(evaluated, error)
        }
        run.call = call
        return run
    }

    private func judge(_ answer: String, _ evaluated: EvaluationCase, _ model: String) -> CaseRun {
        Evaluation.judge(answer, evaluated, expecting: evaluated.expectedSource ?? .model, model: model)
    }

    /// The product's own request, whose contract also keeps what it was shown.
    private func request(for evaluated: EvaluationCase, _ heard: Heard) -> LLMRequest {
        let product = CapabilityRunner.request(
            CapabilityContext(evaluated.capability, json: evaluated.payload),
            for: Requester(user: UUID(), source: .evaluation))
        let contract = LLMOutputContract(
            name: product.output.name, version: product.output.version, schema: product.output.schema
        ) { answer in
            heard.note(answer)
            return product.output.violations(of: answer)
        }
        return LLMRequest(
            user: product.user, source: .evaluation, messages: product.messages, output: contract,
            requestID: product.requestID)
    }
}

/// The last answer of a model, whether or not it could be used.
private final class Heard: Sendable {
    private let answer = Mutex<String?>(nil)

    var last: String? { answer.withLock { $0 } }

    func note(_ text: String) { answer.withLock { $0 = text } }
}
