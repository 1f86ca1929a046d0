import FoundationEssentials
import HostRuntime
import HostStorage

/// The decisions of all processes together, each one atomic script in Redis.
struct RedisReliability: Sendable {
    /// Longest sealed value that is cached.
    static let maximumCachedBytes = 64 * 1024
    /// How much longer than a request's deadline a reservation lives, in seconds.
    static let reservationMargin = 30
    /// How much longer than a request's deadline a probe is waited for, in seconds.
    static let probeMargin = 5

    let redis: RedisConnection
    let configuration: LLMReliabilityConfiguration
    let deadlineSeconds: Int
    /// What the scripts get with every call: members of a JSON object.
    private let fixed: String

    init(_ redis: RedisConnection, _ configuration: LLMReliabilityConfiguration, totalDeadline: Duration) {
        self.redis = redis
        self.configuration = configuration
        deadlineSeconds = (totalDeadline.wholeMilliseconds + 999) / 1000
        let own = configuration
        let numbers = [
            ("rateWindow", own.rateWindowSeconds), ("userLimit", own.userLimit), ("globalLimit", own.globalLimit),
            ("cacheLifetime", own.cacheLifetimeSeconds), ("cacheEntries", own.cacheMaximumEntries),
            ("budget", own.budget), ("hard", own.hardBudget ?? -1), ("budgetWindow", own.budgetWindowSeconds),
            ("lifetime", deadlineSeconds + Self.reservationMargin), ("cooldown", own.breakerCooldownSeconds),
            ("threshold", own.breakerThreshold), ("probe", deadlineSeconds + Self.probeMargin),
        ]
        fixed = numbers.map { #""\#($0)":\#($1)"# }.joined(separator: ",")
    }

    /// Loads the scripts: fails where Redis is away or knows none.
    func load() async throws(RedisError) {
        for script in [Scripts.admit, Scripts.reserve, Scripts.settle, Scripts.addSpent] {
            _ = try await redis.command(["SCRIPT", "LOAD", RedisArgument(script.text)])
        }
    }

    func admit(_ claim: Claim) async throws(RedisError) -> Verdict {
        var arguments = arguments(UUID().uuidString, claim)
        arguments.rate = claim.counts
        arguments.cache = claim.cacheKey
        return try verdict(try await run(Scripts.admit, arguments), arguments.id)
    }

    /// Settles `previous` and reserves anew.
    func reserve(
        _ claim: Claim, previous: Admission?, cost: Int?, isNormal: Bool = true
    ) async throws(RedisError) -> Verdict {
        var arguments = arguments(UUID().uuidString, claim)
        if let previous { arguments.settles(previous) }
        arguments.previous = previous?.id ?? ""
        arguments.cost = cost ?? -1
        arguments.normal = isNormal
        arguments.mine = claim.ownProbe
        return try verdict(try await run(Scripts.reserve, arguments), arguments.id)
    }

    /// - Returns: what is spent or set aside in this window, and which models' breakers are open, in the outcomes' order.
    @discardableResult
    func settle(_ settlement: Settlement) async throws(RedisError) -> (spent: Int, open: [Bool]) {
        var arguments = Arguments(id: settlement.admission.id)
        arguments.settles(settlement.admission)
        arguments.cost = settlement.cost ?? -1
        arguments.outcomes = settlement.outcomes
        if let cache = settlement.cache, cache.value.count <= Self.maximumCachedBytes { arguments.cache = cache.key }
        let reply = try await run(Scripts.settle, arguments, settlement.cache?.value ?? [])
        guard let values = reply.array, let spent = values.first?.number else { throw .unexpectedAnswer }
        return (spent, values.dropFirst().map { $0.number == 1 })
    }

    func forget(cacheKey: String) async throws(RedisError) {
        try await redis.delete("\(Scripts.prefix)cache:data:\(cacheKey)")
    }

    func addSpent(_ amount: Int, window: Int) async throws(RedisError) {
        _ = try await redis.eval(
            Scripts.addSpent, keys: [Self.slot],
            arguments: [
                RedisArgument(window), RedisArgument(amount), RedisArgument(2 * configuration.budgetWindowSeconds),
            ])
    }

    // MARK: - Scripts

    /// The key that names the node.
    private static let slot = "\(Scripts.prefix)budget:reservations"

    /// What one call gets; as JSON written by hand, for there are two of them in every request.
    private struct Arguments {
        var id: String
        var user: String
        var rate = false
        var cache = ""
        var models: [PricedModel]
        var budgetModel: PricedModel
        var normal = true
        var previous = ""
        var mine = ""
        var cost = 0
        /// Of the reservation that is settled.
        private var ofWindow = 0
        private var ofAmount = 0
        var outcomes: [ModelOutcome] = []

        init(
            id: String, user: String = "", models: [PricedModel] = [],
            budgetModel: PricedModel = PricedModel(name: "", amount: 0)
        ) {
            self.id = id
            self.user = user
            self.models = models
            self.budgetModel = budgetModel
        }

        mutating func settles(_ admission: Admission) {
            ofWindow = admission.window
            ofAmount = admission.reserved
        }

        func json(with fixed: String) -> String {
            func quoted(_ text: String) -> String { JSONValue.string(text).text }
            func priced(_ model: PricedModel) -> String {
                #"{"name":\#(quoted(model.name)),"amount":\#(model.amount)}"#
            }
            let models = models.map(priced).joined(separator: ",")
            let outcomes = outcomes.map {
                #"{"model":\#(quoted($0.model)),"result":"\#($0.result.rawValue)","probe":\#($0.isProbe)}"#
            }.joined(separator: ",")
            return #"{"id":\#(quoted(id)),"user":\#(quoted(user)),"rate":\#(rate),"cache":\#(quoted(cache)),"#
                + #""models":[\#(models)],"budgetModel":\#(priced(budgetModel)),"normal":\#(normal),"#
                + #""previous":\#(quoted(previous)),"mine":\#(quoted(mine)),"cost":\#(cost),"#
                + #""ofWindow":\#(ofWindow),"ofAmount":\#(ofAmount),"#
                + #""outcomes":[\#(outcomes)],\#(fixed)}"#
        }
    }

    private func arguments(_ id: String, _ claim: Claim) -> Arguments {
        Arguments(id: id, user: claim.userHash, models: claim.models, budgetModel: claim.budgetModel)
    }

    private func run(
        _ script: RedisScript, _ arguments: Arguments, _ value: [UInt8] = []
    ) async throws(RedisError) -> RedisReply {
        try await redis.eval(
            script, keys: [Self.slot],
            arguments: [RedisArgument(arguments.json(with: fixed)), RedisArgument(value)])
    }

    private func verdict(_ reply: RedisReply, _ id: String) throws(RedisError) -> Verdict {
        guard let values = reply.array, let word = values.first?.text else { throw .unexpectedAnswer }
        switch word {
        case "denied" where values.count == 3:
            let scope: LLMError.Scope = values[1].text == "user" ? .user : .global
            return .rateLimited(scope, retryAfterSeconds: values[2].number ?? 1)
        case "cached" where values.count == 2: return .cached(values[1].bytes ?? [])
        case "breaker" where values.count == 2: return .circuitOpen(retryAfterSeconds: values[1].number ?? 1)
        case "budget": return .budgetExhausted
        case "go" where values.count > 5:
            guard let reserved = values[2].number, let window = values[3].number else { throw .unexpectedAnswer }
            return .go(
                Admission(
                    id: id, models: values.dropFirst(5).compactMap(\.text), reserved: reserved, window: window,
                    probe: values[4].text.flatMap { $0.isEmpty ? nil : $0 }, isBudgetRouted: values[1].number == 1))
        default: throw .unexpectedAnswer
        }
    }
}

extension RedisReply {
    fileprivate var number: Int? { integer.map(Int.init) ?? text.flatMap { Int($0) } }
}
