internal import NIOCore
import Synchronization

/// Commands on their way to a connection's event loop: those that come while it is busy go out in one write.
final class RedisOutbox: Sendable {
    let channel: any Channel
    private let waiting = Mutex<[RedisRequest]>([])

    init(_ channel: any Channel) { self.channel = channel }

    func send(_ request: RedisRequest) {
        let isFirst = waiting.withLock { waiting in
            waiting.append(request)
            return waiting.count == 1
        }
        if isFirst { channel.eventLoop.execute { self.write() } }
    }

    private func write() {
        let requests = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for request in requests {
            channel.write(request).whenFailure { _ in request.answer(.failure(.unavailable)) }
        }
        channel.flush()
    }
}
