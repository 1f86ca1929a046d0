import Foundation
import Push
import Synchronization

/// A push gateway that remembers what it was given; one entry per id is what a device would show.
final class RecordingPush: PushTransport {
    typealias Answer = @Sendable (PushMessage) async -> PushAnswer

    private struct State {
        var messages: [PushMessage] = []
        var answer: Answer
    }

    private let state: Mutex<State>

    init(_ answer: @escaping Answer = { _ in .delivered }) { state = Mutex(State(answer: answer)) }

    /// Every sending, repeats included.
    var messages: [PushMessage] { state.withLock { $0.messages } }
    /// What the devices show.
    var shown: Set<UUID> { Set(messages.map(\.id)) }

    func follow(_ answer: @escaping Answer) { state.withLock { $0.answer = answer } }

    func send(_ message: PushMessage) async -> PushAnswer {
        let answer = state.withLock { state in
            state.messages.append(message)
            return state.answer
        }
        return await answer(message)
    }
}

/// Never answers; ends when its task is cancelled.
@Sendable func hang(_ message: PushMessage) async -> PushAnswer {
    try? await Task.sleep(for: .seconds(3600))
    return .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil)
}
