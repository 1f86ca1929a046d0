import Synchronization

/// Whether the client of a connection is still there; whoever works for it is told when it goes.
final class ClientPresence: Sendable {
    private struct State {
        var isGone = false
        /// HTTP/1.1: one request at a time.
        var leaving: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Calls `leaving` once, when the client goes or if it has gone already.
    func watch(_ leaving: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            if !state.isGone { state.leaving = leaving }
            return state.isGone
        }
        if isGone { leaving() }
    }

    func unwatch() { state.withLock { $0.leaving = nil } }

    func left() {
        let leaving = state.withLock { state in
            defer { state.leaving = nil }
            state.isGone = true
            return state.leaving
        }
        leaving?()
    }
}
