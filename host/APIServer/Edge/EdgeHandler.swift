import HTTPTypes
import HostProcess
import HostRuntime
import NIOCore
import NIOHTTP1

/// Enforces the limits of a connection and answers framing errors itself; runs on the connection's event loop.
final class EdgeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart
    /// Somebody takes this connection's requests.
    struct Attended: Sendable {}

    private let accessLog: AccessLog
    private var state = EdgeState()
    private var context: ChannelHandlerContext?
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?
    private var stall: Scheduled<Void>?
    private let readiness: Readiness
    /// The listener takes no more connections.
    private var isQuiescing = false
    /// Nothing behind this request is read: the decoder would keep every byte, or the connection ends with its answer.
    private var isLastRequest = false
    /// Parts that the decoder made of what came in.
    private(set) var partsRead: UInt64 = 0
    /// Bytes since the last of them.
    private var silentBytes = 0
    private var requestHeaders = HTTPHeaders()
    private var requestStart = ContinuousClock.now
    private var endsWithAnswer = false
    private var isClosing = false
    private var isAttended = false
    let presence = ClientPresence()

    init(accessLog: AccessLog, readiness: Readiness) {
        self.accessLog = accessLog
        self.readiness = readiness
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        expect(within: quietSeconds)
        if isDraining { closeUnlessAttended(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        stall?.cancel()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        stall?.cancel()
        deadline = nil
        presence.left()
        context.fireChannelInactive()
    }

    /// A client that takes no answer must not keep its connection: the handler waits for it, so no other clock runs.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stall?.cancel()
        stall = nil
        if !context.channel.isWritable {
            let limit = TimeAmount.seconds(EdgeLimits.writeSeconds)
            stall = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
                self?.context?.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Whether what arrives now can still belong to a request.
    var wantsBytes: Bool { !state.isRejected && !(isLastRequest && !state.isInBody) }

    func bytesArrived() {
        guard state.bytesArrived() else { return }
        requestHeaders = HTTPHeaders()
        requestStart = .now
        expect(within: EdgeLimits.headSeconds)
    }

    /// The decoder keeps nothing of what it skips, but nobody may go on with that for ever.
    func bytesPassed(_ count: Int, read: Bool) {
        silentBytes = read ? 0 : silentBytes + count
        guard silentBytes > EdgeLimits.maximumSilentBytes, !state.isRejected, wantsBytes else { return }
        reject(state.isInBody ? .payloadTooLarge : .headersTooLarge)
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard wantsBytes else { return }
        partsRead &+= 1
        var data = data
        switch unwrapInboundIn(data) {
        case .head(var head):
            requestHeaders = head.headers
            if EdgeRules.asksForUpgrade(head) {
                isLastRequest = true
                head.headers.replaceOrAdd(name: "connection", value: "close")
                data = wrapInboundOut(.head(head))
            }
            if let code = EdgeRules.refusal(of: head) { return reject(code) }
            if EdgeRules.expectsContinue(head), state.mayContinue { writeContinue(context) }
            state.headForwarded()
            expect(within: EdgeLimits.bodySeconds)
        case .body(let part):
            guard state.bodyArrived(part.readableBytes) else { return reject(.payloadTooLarge) }
        case .end:
            state.requestEnded()
            awaitNext()
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else { return context.fireErrorCaught(error) }
        reject(parserError == .headerOverflow ? .headersTooLarge : .invalidRequest)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            // Closed at once, a connection loses the request that is already on its way to it.
            isQuiescing = true
            closeUnlessAttended(context)
            return awaitNext()
        }
        // Who sends no more has hung up: no client of an API closes half of its connection.
        if case .some(.inputClosed) = event as? ChannelEvent { presence.left() }
        context.fireUserInboundEventTriggered(event)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is Attended else { return context.triggerUserOutboundEvent(event, promise: promise) }
        isAttended = true
        promise?.succeed()
    }

    /// What was accepted while the listener closed is given to nobody, and nobody would answer or close it.
    private func closeUnlessAttended(_ context: ChannelHandlerContext) {
        let limit = TimeAmount.seconds(quietSeconds)
        context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            if let self, !self.isAttended { self.context?.close(promise: nil) }
        }
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        var ends = false
        var outgoing = part
        switch part {
        case .head(var head):
            if isLastRequest || isDraining, state.isLastAnswer {
                isLastRequest = true
                endsWithAnswer = true
                head.headers.replaceOrAdd(name: "connection", value: "close")
            }
            outgoing = .head(head)
        case .body: break
        case .end: ends = true
        }
        switch state.writing(ends: ends) {
        case .drop: promise?.succeed()
        case .pass where ends && endsWithAnswer:
            let written = promise ?? context.eventLoop.makePromise()
            written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
                if let self, let context = self.context { self.closeSoon(context) }
            }
            context.writeAndFlush(wrapOutboundOut(outgoing), promise: written)
        case .pass: context.write(wrapOutboundOut(outgoing), promise: promise)
        case .passThenReject(let code):
            context.write(wrapOutboundOut(outgoing), promise: promise)
            writeRejection(code, context)
        }
        if ends { awaitNext() }
    }

    private func writeContinue(_ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    // MARK: - Rejections

    private func reject(_ code: APIErrorCode) {
        guard let context else { return }
        switch state.reject(code) {
        case .write(let code): writeRejection(code, context)
        case .closeNow: closeSoon(context)
        case .later, .none: break
        }
    }

    private func writeRejection(_ code: APIErrorCode, _ context: ChannelHandlerContext) {
        let rejection = EdgeRejection(code, requestHeaders)
        context.write(wrapOutboundOut(.head(rejection.head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: rejection.body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let record = AccessRecord(
            method: "-", route: AccessRecord.unmatched, status: code.status, latency: ContinuousClock.now - requestStart
        )
        accessLog.write(record, to: accessLog.log.with(requestID: rejection.requestID, trace: nil))
        closeSoon(context)
    }

    /// Closes the sending side now and the rest a moment later.
    private func closeSoon(_ context: ChannelHandlerContext) {
        isClosing = true
        context.close(mode: .output, promise: nil)
        expect(within: EdgeLimits.lingerSeconds)
    }

    // MARK: - The clock: one timer per connection, which looks at the deadline when it fires

    private func awaitNext() {
        guard !state.isRejected, !isClosing else { return }
        if state.isQuiet {
            expect(within: quietSeconds)
        } else if state.phase == .answering {
            deadline = nil
        }
    }

    /// Whether every answer is the last of its connection.
    private var isDraining: Bool { isQuiescing || readiness.isDraining }

    /// How long a connection may be without a request.
    private var quietSeconds: Int64 {
        if isQuiescing { return EdgeLimits.crossingSeconds }
        return readiness.isDraining ? EdgeLimits.drainingIdleSeconds : EdgeLimits.idleSeconds
    }

    private func expect(within seconds: Int64) {
        guard let context else { return }
        let newDeadline = context.eventLoop.now + .seconds(seconds)
        deadline = newDeadline
        if timer == nil || timerFires > newDeadline { schedule(newDeadline, context) }
    }

    private var timerFires = NIODeadline.distantFuture

    private func schedule(_ at: NIODeadline, _ context: ChannelHandlerContext) {
        timer?.cancel()
        timerFires = at
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: at) { [weak self] in self?.timerFired() }
    }

    private func timerFired() {
        timer = nil
        guard let context, let deadline else { return }
        guard context.eventLoop.now >= deadline else { return schedule(deadline, context) }
        switch state.phase {
        case _ where isClosing: context.close(promise: nil)
        case .head, .body: reject(.requestReadTimeout)
        case .idle where isDraining:
            isLastRequest = true
            closeSoon(context)
        case .idle, .rejected: context.close(promise: nil)
        case .answering: break
        }
    }
}
