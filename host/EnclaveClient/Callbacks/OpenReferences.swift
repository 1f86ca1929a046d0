internal import AttestedSession
internal import EnclaveProtocol
internal import Synchronization

/// The connectors for which this process has a call open, or had one within the last minute.
///
/// The enclave may read only their records: a callback for another one was asked for by nobody here.
final class OpenReferences: Sendable {
    /// How long after its last call a connector's record may still be read.
    static let graceMilliseconds = 60_000
    /// Most connectors remembered after their last call; the oldest go first.
    static let maximumClosed = 65_536

    fileprivate struct State {
        var open: [ConnectorReference: Int] = [:]
        /// Of these, the calls that are for erased users too.
        var pending: [ConnectorReference: Int] = [:]
        var closed: [ConnectorReference: MonotonicInstant] = [:]
        /// In the order of closing; an entry counts only if `closed` has the same time.
        var order: [(reference: ConnectorReference, at: MonotonicInstant)] = []
        var orderHead = 0
    }

    private let state = Mutex(State())

    /// `reachesPending`: the call may use the record of an erased user that waits for its revocation.
    func begin(_ reference: ConnectorReference, reachesPending: Bool = false) {
        state.withLock { state in
            state.open[reference, default: 0] += 1
            if reachesPending { state.pending[reference, default: 0] += 1 }
        }
    }

    func end(_ reference: ConnectorReference, reachesPending: Bool = false, now: MonotonicInstant = .now) {
        state.withLock { state in
            if reachesPending {
                let left = state.pending[reference, default: 1] - 1
                state.pending[reference] = left > 0 ? left : nil
            }
            let left = state.open[reference, default: 1] - 1
            state.open[reference] = left > 0 ? left : nil
            guard left <= 0 else { return }
            state.closed[reference] = now
            state.order.append((reference, now))
            state.forget(before: now.advanced(byMilliseconds: -Self.graceMilliseconds))
        }
    }

    func contains(_ reference: ConnectorReference, now: MonotonicInstant = .now) -> Bool {
        state.withLock { state in
            if state.open[reference] != nil { return true }
            guard let closedAt = state.closed[reference] else { return false }
            return closedAt.advanced(byMilliseconds: Self.graceMilliseconds) >= now
        }
    }

    /// Whether a call is open that may use records of erased users.
    func reachesPending(_ reference: ConnectorReference) -> Bool {
        state.withLock { $0.pending[reference] != nil }
    }

    /// Connectors remembered, open or closed.
    var count: Int { state.withLock { $0.open.count + $0.closed.count } }
}

extension OpenReferences.State {
    fileprivate mutating func forget(before limit: MonotonicInstant) {
        while orderHead < order.count {
            let (reference, closedAt) = order[orderHead]
            guard closedAt < limit || order.count - orderHead > OpenReferences.maximumClosed else { break }
            orderHead += 1
            if closed[reference] == closedAt { closed[reference] = nil }
        }
        guard orderHead > 1024 else { return }
        order.removeFirst(orderHead)
        orderHead = 0
    }
}
