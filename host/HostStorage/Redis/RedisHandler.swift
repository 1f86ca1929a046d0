internal import NIOCore
import Synchronization

/// One command on its way; answered exactly once.
final class RedisRequest: Sendable {
    let bytes: [UInt8]
    let deadline: NIODeadline
    private let continuation: Mutex<CheckedContinuation<Result<RedisReply, RedisError>, Never>?>

    init(
        _ bytes: [UInt8], deadline: NIODeadline,
        _ continuation: CheckedContinuation<Result<RedisReply, RedisError>, Never>
    ) {
        self.bytes = bytes
        self.deadline = deadline
        self.continuation = Mutex(continuation)
    }

    func answer(_ result: Result<RedisReply, RedisError>) {
        let waiting = continuation.withLock { slot in
            defer { slot = nil }
            return slot
        }
        waiting?.resume(returning: result)
    }
}

/// Sends commands as they come and matches answers in order. A command without an answer at its deadline ends the
/// connection, because everything behind it waits too.
final class RedisHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = RedisRequest
    typealias OutboundOut = ByteBuffer

    /// Commands waiting for answers; beyond it a caller is refused.
    static let maximumWaiting = 10_000

    private let decoder: RedisDecoder
    private var waiting = FIFO<RedisRequest>()
    private var timer: Scheduled<Void>?

    init(_ decoder: RedisDecoder) { self.decoder = decoder }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let request = unwrapOutboundIn(data)
        guard waiting.count < Self.maximumWaiting else {
            promise?.fail(RedisError.unavailable)
            return request.answer(.failure(.unavailable))
        }
        waiting.append(request)
        context.write(wrapOutboundOut(ByteBuffer(bytes: request.bytes)), promise: promise)
        if timer == nil { watch(context, until: request.deadline) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let isValid = unsafe unwrapInboundIn(data).withUnsafeReadableBytes { unsafe decoder.feed($0) }
        do throws(RedisError) {
            while isValid, let reply = try decoder.next() {
                guard let request = waiting.popFirst() else { throw .unavailable }
                if case .error(let word) = reply {
                    request.answer(.failure(.refused(word)))
                } else {
                    request.answer(.success(reply))
                }
            }
            guard isValid else { throw .unavailable }
        } catch {
            context.close(promise: nil)
        }
    }

    private func watch(_ context: ChannelHandlerContext, until deadline: NIODeadline) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            let (handler, context) = bound.value
            handler.timer = nil
            guard let oldest = handler.waiting.first else { return }
            guard oldest.deadline <= .now() else { return handler.watch(context, until: oldest.deadline) }
            oldest.answer(.failure(.timeout))
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func end() {
        timer?.cancel()
        timer = nil
        for request in waiting.removeAll() { request.answer(.failure(.unavailable)) }
    }
}
