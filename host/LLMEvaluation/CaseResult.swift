public import LLMGateway

/// One answer to a case, judged.
public struct CaseRun: Sendable {
    public struct Failure: Sendable, Hashable {
        /// The check's name.
        public let check: String
        public let message: String
    }

    /// What a real model's answer took.
    public struct Call: Sendable, Equatable {
        public var latency: Duration
        /// Micro-dollars, failed tries and repairs included.
        public var cost: Int
        public var usage = TokenUsage()
        public var tries = 0
    }

    public let snapshot: JSONValue
    public internal(set) var failures: [Failure]
    /// Of the golden, with the lines around; empty when it is the same.
    public internal(set) var difference: [String] = []
    /// Nil when the answer was mocked.
    public internal(set) var call: Call?

    public var passed: Bool { failures.isEmpty }
}

/// What came of one case: of one mocked answer, or of several real ones.
public struct CaseResult: Sendable {
    public let evaluated: EvaluationCase
    public let runs: [CaseRun]
    /// Share of runs that must pass.
    public var leastPassRate = 1.0
    /// Why there are fewer runs than were asked for; then the case has not passed.
    public var stopped: String?

    public var passedRuns: Int { runs.count { $0.passed } }
    public var rate: PassRate { PassRate(passed: passedRuns, of: runs.count) }
    public var passed: Bool {
        stopped == nil && !runs.isEmpty && Double(passedRuns) >= leastPassRate * Double(runs.count)
    }

    /// Every failure once, in order.
    public var failures: [CaseRun.Failure] {
        var known: Set<CaseRun.Failure> = []
        let stop = stopped.map { [CaseRun.Failure(check: "budget", message: $0)] } ?? []
        return (runs.flatMap(\.failures) + stop).filter { known.insert($0).inserted }
    }

    public var difference: [String] { runs.first?.difference ?? [] }
    /// Of the first run that failed, else of the first.
    public var shown: CaseRun? { runs.first { !$0.passed } ?? runs.first }
}

/// How many of a number of independent runs passed.
public struct PassRate: Sendable, Equatable {
    public let passed: Int
    public let count: Int

    public init(passed: Int, of count: Int) {
        self.passed = passed
        self.count = count
    }

    /// Wilson's score interval of 95 %: it is right for few runs and for rates near 0 and 1.
    public var interval: ClosedRange<Double> {
        guard count > 0 else { return 0...1 }
        let deviations = 1.959_963_984_540_054
        let (total, rate) = (Double(count), Double(passed) / Double(count))
        let square = deviations * deviations
        let centre = rate + square / (2 * total)
        let spread = deviations * (rate * (1 - rate) / total + square / (4 * total * total)).squareRoot()
        let scale = 1 + square / total
        return max(0, (centre - spread) / scale)...min(1, (centre + spread) / scale)
    }

    /// `9 of 10 runs passed (90.0 %; 95 % Wilson interval 59.6-98.2 %)`
    public var text: String {
        guard count > 0 else { return "no run" }
        let share = Self.percent(Double(passed) / Double(count))
        let (low, high) = (Self.percent(interval.lowerBound), Self.percent(interval.upperBound))
        return "\(passed) of \(count) runs passed (\(share) %; 95 % Wilson interval \(low)-\(high) %)"
    }

    static func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// Micro-dollars as text.
func dollars(_ micro: Int) -> String {
    let digits = String(micro % 1_000_000)
    return "$\(micro / 1_000_000)." + String(repeating: "0", count: 6 - digits.count) + digits
}

extension Duration {
    var milliseconds: Int { Int(components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000) }
}
