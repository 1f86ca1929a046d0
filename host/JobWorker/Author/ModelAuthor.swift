import HostRuntime
public import LLMGateway

/// Has a language model write, within what the runner lets through.
public struct ModelAuthor: NotificationAuthor {
    private let runner: CapabilityRunner

    /// A runner without a model writes the deterministic texts.
    public init(_ runner: CapabilityRunner) { self.runner = runner }

    public func brief(_ context: BriefContext) async -> Authored<BriefText> {
        let result = await runner.run(
            .brief(
                context.meetings, mail: context.mail, on: context.day, by: context.clock, timeZone: context.timeZone,
                localTime: context.localTime),
            for: Requester(
                user: context.user, source: .morningBrief, requestID: .accepting(context.requestID),
                trace: .continuing(context.traceparent)))
        guard case .brief(let text) = result.output else { preconditionFailure("a brief has a brief's output") }
        return Authored(text, source: result.source, model: result.audit)
    }

    public func verdict(_ context: MailCheckContext) async -> MailJudgement {
        await runner.judge(
            context.candidates,
            for: Requester(
                user: context.user, source: .urgentEmail, requestID: .accepting(context.requestID),
                trace: .continuing(context.traceparent)))
    }
}
