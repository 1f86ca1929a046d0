import Synchronization

/// Numbers one after the other.
final class Counter: Sendable {
    private let count = Atomic(0)
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}

/// What a load brought.
struct LoadResult: Sendable {
    /// Of the calls that succeeded.
    var microseconds: [Double] = []
    var failures = 0

    func percentile(_ percent: Int) -> Double {
        guard !microseconds.isEmpty else { return .infinity }
        return microseconds.sorted()[min(microseconds.count - 1, microseconds.count * percent / 100)]
    }
}

/// Counts calls that end at the same time.
private final class Tally: Sendable {
    private let sum = Mutex(LoadResult())
    var result: LoadResult { sum.withLock { $0 } }

    func add(_ time: Double?) {
        sum.withLock { sum in
            if let time { sum.microseconds.append(time) } else { sum.failures += 1 }
        }
    }
}

enum Load {
    typealias Call = @Sendable () async -> Bool

    /// Evenly spread calls, each begun at its time whatever the others do.
    static func open(_ rate: Int, seconds: Int, _ call: @escaping Call) async -> LoadResult {
        let begin = ContinuousClock.now
        let tally = Tally()
        await withDiscardingTaskGroup { group in
            for number in 0..<rate * seconds {
                try? await Task.sleep(until: begin + .microseconds(number * 1_000_000 / rate), tolerance: .zero)
                let start = ContinuousClock.now
                group.addTask {
                    let isAnswered = await call()
                    let time = start.duration(to: .now).microseconds
                    tally.add(isAnswered ? time : nil)
                }
            }
        }
        return tally.result
    }

    /// So many callers, each with one call after the other.
    static func closed(_ callers: Int, seconds: Int, _ call: @escaping Call) async -> LoadResult {
        let end = ContinuousClock.now + .seconds(seconds)
        return await withTaskGroup(of: LoadResult.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    var result = LoadResult()
                    while ContinuousClock.now < end {
                        let start = ContinuousClock.now
                        if await call() {
                            result.microseconds.append(start.duration(to: .now).microseconds)
                        } else {
                            result.failures += 1
                        }
                    }
                    return result
                }
            }
            return await group.reduce(into: LoadResult()) { sum, part in
                sum.microseconds += part.microseconds
                sum.failures += part.failures
            }
        }
    }
}

extension Duration {
    var microseconds: Double { Double(components.seconds) * 1e6 + Double(components.attoseconds) / 1e12 }
}
