import Synchronization

/// A request that has its answer, or has none: what is left is to keep the answer and to settle what it cost.
struct FinishedRequest: Sendable {
    var settlement: Settlement
    /// For the cache; nil: not kept.
    var answer: LLMCompletion?
    var request: LLMRequest
    var cacheKey: String
}

/// Settles beside the callers, so that none waits for it, while somebody runs it.
///
/// A process that dies before leaves its reservation, which counts as spent when its time is over: never too little.
final class LateSettlements: Sendable {
    /// Open ones; beyond it a caller settles itself.
    static let maximumOpen = 1_000

    private struct State {
        var continuation: AsyncStream<FinishedRequest>.Continuation?
        var open = 0
    }

    private let state = Mutex(State())

    /// False: nobody settles here now, or too many are open.
    func offer(_ finished: FinishedRequest) -> Bool {
        state.withLock { state in
            guard let continuation = state.continuation, state.open < Self.maximumOpen,
                case .enqueued = continuation.yield(finished)
            else { return false }
            state.open += 1
            return true
        }
    }

    /// Settles until cancelled, and then what was taken until then.
    func run(_ settle: @escaping @Sendable (FinishedRequest) async -> Void) async {
        let (stream, continuation) = AsyncStream.makeStream(of: FinishedRequest.self)
        state.withLock { $0.continuation = continuation }
        await withDiscardingTaskGroup { group in
            for await finished in stream {
                group.addTask {
                    await settle(finished)
                    self.state.withLock { $0.open -= 1 }
                }
            }
        }
        state.withLock { $0.continuation = nil }
    }
}
