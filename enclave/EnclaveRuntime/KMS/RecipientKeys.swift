internal import AttestedSession

/// Keeps one recipient key ready, made off the path of calls.
///
/// A key that has opened an answer is never used again, so that no answer can stand in for another one.
final class RecipientKeys: Sendable {
    private struct State {
        var ready: RecipientKey?
        var isMaking = false
        var waiting = 0
    }

    private let state = Monitor(State())

    /// Begins to make the first key.
    init() { make() }

    /// No thread is in OpenSSL for a key that nobody wants any more.
    deinit { _ = state.wait(until: .now.advanced(bySeconds: 5)) { $0.isMaking ? nil : true } }

    /// The key that is ready, or the next one; nil when there is none by `deadline`.
    func take(until deadline: MonotonicInstant) -> RecipientKey? {
        state.withLock { $0.waiting += 1 }
        make()
        let key = state.wait(until: deadline) { $0.ready.take() }
        let othersWait = state.withLock { state in
            state.waiting -= 1
            return state.waiting > 0
        }
        if othersWait { make() }
        return key
    }

    /// Takes back a key to which nothing was encrypted.
    func giveBack(_ key: RecipientKey) { state.withLock(wake: true) { $0.ready = $0.ready ?? key } }

    /// Makes a key on a thread of its own unless one is there or under way.
    func make() {
        let isNeeded = state.withLock { state in
            guard state.ready == nil, !state.isMaking else { return false }
            state.isMaking = true
            return true
        }
        guard isNeeded else { return }
        let started = Threads.start { [state] in
            let key = RecipientKey()
            state.withLock(wake: true) { state in
                state.isMaking = false
                state.ready = state.ready ?? key
            }
        }
        if !started { state.withLock { $0.isMaking = false } }
    }
}
