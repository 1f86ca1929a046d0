/// Something that goes wrong at a provider until it is cleared or has happened `times` times.
///
/// As JSON: `{"provider":"google","call":"google.refresh","effect":{"reset":{}},"moment":"afterwards","times":1}`.
public struct Fault: Codable, Sendable, Hashable {
    /// What the caller gets in place of the answer.
    public enum Effect: Codable, Sendable, Hashable {
        /// An answer with this status, `{}` or `body`, with or without `Retry-After`.
        case status(code: Int, retryAfterSeconds: Int? = nil, body: JSONValue? = nil)
        /// Google's `invalid_grant`, whatever the request.
        case invalidGrant
        /// The TCP connection is reset.
        case reset
        /// The HTTP/2 connection takes no new streams; with `refusingThis` the request is left unprocessed as well.
        case goAway(refusingThis: Bool)
        /// From now on the HTTP/2 connection allows so many streams at once; the request is answered.
        case maximumStreams(Int)
        /// No answer for ten minutes.
        case hang
    }

    /// Whether the provider has done its work when the effect happens.
    public enum Moment: String, Codable, Sendable, Hashable {
        /// Nothing was done: the request is lost.
        case before
        /// All was done (a token rotated, a notification shown): the answer is lost.
        case afterwards
    }

    public var provider: Provider
    /// Nil: every call of the provider.
    public var call: ProviderCall?
    /// Waiting time before anything else happens; with no effect the answer is only late.
    public var latencyMilliseconds: Int
    public var effect: Effect?
    public var moment: Moment
    /// How many calls it strikes; nil: until cleared.
    public var times: Int?

    public init(
        _ provider: Provider, call: ProviderCall? = nil, latencyMilliseconds: Int = 0, effect: Effect? = nil,
        moment: Moment = .before, times: Int? = nil
    ) {
        self.provider = provider
        self.call = call
        self.latencyMilliseconds = latencyMilliseconds
        self.effect = effect
        self.moment = moment
        self.times = times
    }

    /// A fault of one call.
    public init(
        _ call: ProviderCall, latencyMilliseconds: Int = 0, effect: Effect? = nil, moment: Moment = .before,
        times: Int? = nil
    ) {
        self.init(
            call.provider, call: call, latencyMilliseconds: latencyMilliseconds, effect: effect, moment: moment,
            times: times)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            try container.decode(Provider.self, forKey: .provider),
            call: try container.decodeIfPresent(ProviderCall.self, forKey: .call),
            latencyMilliseconds: try container.decodeIfPresent(Int.self, forKey: .latencyMilliseconds) ?? 0,
            effect: try container.decodeIfPresent(Effect.self, forKey: .effect),
            moment: try container.decodeIfPresent(Moment.self, forKey: .moment) ?? .before,
            times: try container.decodeIfPresent(Int.self, forKey: .times))
    }
}

/// The faults that are switched on; of several that fit, the one switched on first strikes.
actor FaultBoard {
    private var faults: [Fault] = []

    func set(_ fault: Fault) {
        faults.append(fault)
    }

    func clear(_ provider: Provider?) {
        faults.removeAll { provider == nil || $0.provider == provider }
    }

    func list() -> [Fault] {
        faults
    }

    /// The fault that strikes this call, if any; one with a count is used up by it.
    func take(for call: ProviderCall) -> Fault? {
        let struck = faults.firstIndex { $0.provider == call.provider && ($0.call == nil || $0.call == call) }
        guard let index = struck else { return nil }
        let fault = faults[index]
        if let times = fault.times {
            faults[index].times = times - 1
            if times <= 1 { faults.remove(at: index) }
        }
        return fault
    }
}
