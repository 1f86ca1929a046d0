import Synchronization

/// The places of one worker: each running job takes one, and a quarter is kept for prompt jobs.
final class Places: Sendable {
    fileprivate struct Taken {
        var prompt = 0
        var background = 0
    }

    private let maximum: Int
    private let maximumBackground: Int
    private let taken = Mutex(Taken())

    /// - Parameter maximum: at least 1; with one place there is none to keep.
    init(maximum: Int) {
        self.maximum = max(1, maximum)
        let reserved = min(max(1, self.maximum / 4), self.maximum - 1)
        maximumBackground = self.maximum - reserved
    }

    /// Free places, and those of them that jobs other than prompt ones may take.
    var free: (all: Int, background: Int) {
        let taken = taken.withLock { $0 }
        let all = max(0, maximum - taken.prompt - taken.background)
        return (all, max(0, min(all, maximumBackground - taken.background)))
    }

    func take(isPrompt: Bool) { taken.withLock { $0.change(isPrompt, by: 1) } }

    func giveBack(isPrompt: Bool) { taken.withLock { $0.change(isPrompt, by: -1) } }
}

extension Places.Taken {
    fileprivate mutating func change(_ isPrompt: Bool, by difference: Int) {
        if isPrompt { prompt += difference } else { background += difference }
    }
}
