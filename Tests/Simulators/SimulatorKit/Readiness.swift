import Synchronization

/// Collects the ports until every server listens.
final class Readiness: Sendable {
    struct Ports: Sendable {
        var google: Int
        var clerk: Int
        var apns: Int
        var kms: Int
        var metadata: Int
        var openrouter: Int
        var control: Int
    }

    private struct State {
        var providers: [Provider: Int] = [:]
        var control: Int?
        var ended = false
        var waiting: [CheckedContinuation<Void, Never>] = []

        var ports: Ports? {
            guard let google = providers[.google], let clerk = providers[.clerk], let apns = providers[.apns],
                let kms = providers[.kms], let metadata = providers[.metadata], let openrouter = providers[.openrouter],
                let control
            else { return nil }
            return Ports(
                google: google, clerk: clerk, apns: apns, kms: kms, metadata: metadata, openrouter: openrouter,
                control: control)
        }
    }

    private let state = Mutex(State())

    /// Nil: the control API.
    func listening(_ provider: Provider?, on port: Int) {
        change { state in
            if let provider { state.providers[provider] = port } else { state.control = port }
        }
    }

    /// Nothing will listen any more: who still waits is told.
    func end() {
        change { $0.ended = true }
    }

    /// - Throws: `CancellationError` when the servers ended before all of them listened.
    func ports() async throws -> Ports {
        await withCheckedContinuation { continuation in
            let settled = state.withLock { state in
                if state.ports != nil || state.ended { return true }
                state.waiting.append(continuation)
                return false
            }
            if settled { continuation.resume() }
        }
        guard let ports = state.withLock({ $0.ports }) else { throw CancellationError() }
        return ports
    }

    private func change(_ body: (inout State) -> Void) {
        let released = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            body(&state)
            guard state.ports != nil || state.ended else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in released { continuation.resume() }
    }
}
