import Crypto
import Foundation
public import HostRuntime
public import HostStorage
public import ServiceLifecycle

/// The one way to a language model: limits, cache, breaker and budget of all processes, tries, repair, accounts.
public final class LLMGateway: LanguageModel, Service {
    let configuration: LLMConfiguration
    let budgetModel: String
    let prices: PriceTable
    let client: OpenRouterClient
    let admissions: any AdmissionControl
    /// Nil without Redis: then a limit of this process alone holds, and nothing is cached.
    let reliability: Reliability?
    let sealing: (any AnswerSealing)?
    let report: GatewayReport
    private let late = LateSettlements()

    /// - Throws: when the price table cannot be read.
    public init(
        _ configuration: LLMConfiguration, _ own: LLMReliabilityConfiguration, quotaPercentWhileDown: Int,
        redis: RedisConnection, sealing: any AnswerSealing, rootsFile: String?, log: HostLog, metrics: MetricsRegistry
    ) throws(PriceTable.Failure) {
        prices = try PriceTable(path: configuration.priceTablePath)
        self.configuration = configuration
        budgetModel = own.budgetModel
        self.sealing = sealing
        client = OpenRouterClient(configuration, prices: prices, rootsFile: rootsFile)
        let reliability = Reliability(
            redis, own, quotaPercentWhileDown: quotaPercentWhileDown, totalDeadline: configuration.totalDeadline,
            log: log, metrics: metrics)
        (self.reliability, admissions) = (reliability, reliability)
        report = GatewayReport(log: log, metrics: metrics)
        for model in Set(configuration.models + [own.budgetModel]).sorted() where !prices.knows(model) {
            log.event("llm_price_unknown", .warn, [LogField(.model, model)])
        }
    }

    /// For one run by itself, such as an evaluation: no Redis, no cache, no breaker, at most `limit` micro-dollars.
    ///
    /// - Throws: when the price table cannot be read.
    public init(
        alone configuration: LLMConfiguration, limit: Int, rootsFile: String?, log: HostLog, metrics: MetricsRegistry
    ) throws(PriceTable.Failure) {
        prices = try PriceTable(path: configuration.priceTablePath)
        self.configuration = configuration
        budgetModel = configuration.primaryModel
        (sealing, reliability, admissions) = (nil, nil, SpendingGuard(limit: limit))
        client = OpenRouterClient(configuration, prices: prices, rootsFile: rootsFile)
        report = GatewayReport(log: log, metrics: metrics)
    }

    /// Models whose price the table does not name: they cost what any other one costs.
    public var modelsWithoutPrice: [String] { configuration.models.filter { !prices.knows($0) } }

    /// Micro-dollars that a gateway alone has spent; 0 for one with Redis, where all processes count together.
    public var spent: Int { (admissions as? SpendingGuard)?.spent ?? 0 }

    /// Pings Redis and loads the scripts; a process does not start without them.
    public func start() async throws(RedisError) {
        guard let reliability else { return }
        try await reliability.shared.redis.ping()
        try await reliability.shared.load()
    }

    /// Looks for a lost Redis and settles beside the callers, until shutdown; then settles what is left.
    public func run() async throws {
        guard let reliability else { return }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.late.run { await self.close($0) } }
                await reliability.watch()
            }
        }
        await reliability.recover()
    }

    /// Ends the connections to the provider; last of all.
    public func shutdown() async throws { try await client.shutdown() }

    public func complete(_ request: LLMRequest) async throws(LLMError) -> LLMCompletion {
        try await respond(to: request).outcome.get()
    }

    public func respond(to request: LLMRequest) async -> LLMResponse {
        let start = ContinuousClock.now
        let limit = min(request.deadline ?? configuration.totalDeadline, configuration.totalDeadline)
        var run = GatewayRun(gateway: self, request: request, end: start + limit)
        let outcome: Result<LLMCompletion, LLMError>
        do throws(LLMError) {
            outcome = .success(try await answer(request, &run))
        } catch {
            outcome = .failure(error)
        }
        let degradation = report.finished(request, outcome, run, latency: ContinuousClock.now - start)
        return LLMResponse(outcome, degradation: degradation)
    }

    private func answer(_ request: LLMRequest, _ run: inout GatewayRun) async throws(LLMError) -> LLMCompletion {
        let key = sealing == nil ? "" : cacheKey(request)
        var claim = run.claim(cacheKey: key)
        var verdict = await admissions.admit(claim)
        if case .cached(let sealed) = verdict {
            if let completion = await open(sealed, request, key) { return completion }
            await admissions.forget(cacheKey: key)
            claim.cacheKey = ""
            claim.counts = false
            verdict = await admissions.admit(claim)
        }
        let admission = try run.admission(of: verdict)
        return try await run.perform(admission, cacheKey: key)
    }

    // MARK: - After a request

    /// Beside the caller where somebody does that, else at once.
    func settle(_ finished: FinishedRequest) async {
        if !late.offer(finished) { await close(finished) }
    }

    private func close(_ finished: FinishedRequest) async {
        var settlement = finished.settlement
        if let answer = finished.answer, let sealed = await seal(answer, finished.request, finished.cacheKey) {
            settlement.cache = (finished.cacheKey, sealed)
        }
        await admissions.settle(settlement)
    }

    // MARK: - Cache

    private struct Cached: Codable {
        var model: String
        var text: String
        var input: UInt32
        var output: UInt32
    }

    private func open(_ sealed: [UInt8], _ request: LLMRequest, _ key: String) async -> LLMCompletion? {
        guard
            let plain = await sealing?.open(
                sealed, user: request.user, key: key, requestID: request.requestID.text),
            let cached = try? JSONDecoder().decode(Cached.self, from: Data(plain)),
            request.output.violations(of: cached.text).isEmpty
        else { return nil }
        return LLMCompletion(
            text: cached.text, model: cached.model, usage: TokenUsage(input: cached.input, output: cached.output),
            isCached: true)
    }

    /// The sealed value; nil when it cannot be sealed now.
    private func seal(_ completion: LLMCompletion, _ request: LLMRequest, _ key: String) async -> [UInt8]? {
        let cached = Cached(
            model: completion.model, text: completion.text, input: completion.usage.input,
            output: completion.usage.output)
        guard let sealing, let plain = try? JSONEncoder().encode(cached) else { return nil }
        return await sealing.seal(
            Array(plain), user: request.user, key: key, requestID: request.requestID.text)
    }

    private func cacheKey(_ request: LLMRequest) -> String {
        var hash = SHA256()
        func add(_ text: String) {
            let bytes = Array(text.utf8)
            withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: bytes)
        }
        add(request.user.uuidString.lowercased())
        add(request.output.name)
        add(request.output.version)
        add(configuration.models.joined(separator: " "))
        for message in request.messages {
            add(message.role.rawValue)
            add(message.text)
        }
        add(request.output.schema)
        return hash.finalize().hexadecimal
    }
}

extension Sequence<UInt8> {
    /// Two lower-case digits for each byte.
    var hexadecimal: String {
        let digits = Array("0123456789abcdef")
        return String(flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
