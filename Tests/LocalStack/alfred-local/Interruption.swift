import Dispatch
import Foundation

/// Turns SIGINT, SIGTERM, SIGHUP and an output without a reader into the end of the work under way.
final class Interruption: @unchecked Sendable {
    static let shared = Interruption()

    private let sources: [any DispatchSourceSignal]
    private let events: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let lock = NSLock()
    private var requested = false

    /// Whether a signal has come.
    var isRequested: Bool { lock.withLock { requested } }

    /// Begins to listen; the default action of these signals is off from here on, of SIGPIPE too.
    private init() {
        (events, continuation) = AsyncStream.makeStream(of: Void.self)
        signal(SIGPIPE, SIG_IGN)
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for source in sources {
            source.setEventHandler { [self] in request() }
            source.resume()
        }
    }

    /// Ends the work, as a signal does.
    func request() {
        lock.withLock { requested = true }
        continuation.yield()
    }

    /// Runs `work` until it ends or a signal comes; then it is cancelled.
    func race(_ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work() }
            group.addTask { [events] in
                for await _ in events { break }
                throw CancellationError()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
