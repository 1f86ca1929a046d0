internal import AttestedSession

/// Keeps a few recipient keys ready, made off the path of calls.
///
/// A key to which an answer may have been encrypted is never used again, so that no answer can stand in for another one.
final class RecipientKeys: Sendable {
    private struct State {
        var ready: [RecipientKey] = []
        var isMaking = false
    }

    private let stock: Int
    private let state = Monitor(State())

    /// Begins to make `stock` keys.
    init(stock: Int) {
        self.stock = max(1, stock)
        make()
    }

    /// No thread is in OpenSSL for keys that nobody wants any more.
    deinit { _ = state.wait(until: .now.advanced(bySeconds: 5)) { $0.isMaking ? nil : true } }

    /// A key that is ready, or the next one; nil when there is none by `deadline`.
    func take(until deadline: MonotonicInstant) -> RecipientKey? {
        if state.withLock({ $0.ready.isEmpty }) { make() }
        return state.wait(until: deadline) { $0.ready.popLast() }
    }

    /// Takes back a key to which nothing was encrypted.
    func giveBack(_ key: RecipientKey) {
        state.withLock(wake: true) { state in
            if state.ready.count < stock { state.ready.append(key) }
        }
    }

    /// Fills the stock on a thread of its own.
    func make() {
        let isMine = state.withLock { state in
            guard state.ready.count < stock, !state.isMaking else { return false }
            state.isMaking = true
            return true
        }
        guard isMine else { return }
        let started = Threads.start { [state, stock] in
            var isFull = false
            while !isFull {
                let key = RecipientKey()
                isFull = state.withLock(wake: true) { state in
                    if let key { state.ready.append(key) }
                    state.isMaking = key != nil && state.ready.count < stock
                    return !state.isMaking
                }
            }
        }
        if !started { state.withLock { $0.isMaking = false } }
    }
}
