import Dispatch
import Foundation

/// Turns SIGINT, SIGTERM and SIGHUP into the end of the work under way.
final class Interruption: @unchecked Sendable {
    private let sources: [any DispatchSourceSignal]
    private let events: AsyncStream<Void>
    private let lock = NSLock()
    private var requested = false

    /// Whether a signal has come.
    var isRequested: Bool { lock.withLock { requested } }

    /// Begins to listen; the default action of both signals is off from here on.
    init() {
        let (events, continuation) = AsyncStream.makeStream(of: Void.self)
        self.events = events
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for source in sources {
            source.setEventHandler { [self] in
                lock.withLock { requested = true }
                continuation.yield()
            }
            source.resume()
        }
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
