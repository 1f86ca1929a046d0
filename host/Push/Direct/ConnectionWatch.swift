import NIOCore
import NIOHTTP2

/// Asks a silent connection whether it still lives, and closes it when no answer comes.
///
/// Without it a connection that a firewall forgot would swallow notifications until their timeout.
final class ConnectionWatch: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    struct Rhythm: Sendable {
        /// Silence after which a PING is sent.
        var silence = TimeAmount.seconds(60)
        /// Longest wait for its answer.
        var answer = TimeAmount.seconds(10)
    }

    private let rhythm: Rhythm
    private var timer: Scheduled<Void>?
    private var lastHeard = NIODeadline.now()
    private var sent: UInt64 = 0
    private var isAwaitingAnswer = false

    init(_ rhythm: Rhythm) { self.rhythm = rhythm }

    func handlerAdded(context: ChannelHandlerContext) {
        lastHeard = context.eventLoop.now
        if context.channel.isActive { wait(rhythm.silence, context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = context.eventLoop.now
        if case .ping(let content, ack: true) = unwrapInboundIn(data).payload, isAwaitingAnswer,
            content == HTTP2PingData(withInteger: sent)
        {
            isAwaitingAnswer = false
            wait(rhythm.silence, context)
        }
        context.fireChannelRead(data)
    }

    private func wait(_ time: TimeAmount, _ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.timeIsUp(context) }
    }

    private func timeIsUp(_ context: ChannelHandlerContext) {
        guard !isAwaitingAnswer else {
            context.close(mode: .all, promise: nil)
            return
        }
        let silence = context.eventLoop.now - lastHeard
        guard silence >= rhythm.silence else { return wait(rhythm.silence - silence, context) }
        sent += 1
        isAwaitingAnswer = true
        let ping = HTTP2Frame(
            streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: sent), ack: false))
        context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
        wait(rhythm.answer, context)
    }
}
