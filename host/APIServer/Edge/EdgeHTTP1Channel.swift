import HTTPTypes
import HostProcess
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// HTTP/1.1 connections with limits on heads, bodies and time, and with error answers in the API's own form.
struct EdgeHTTP1Channel: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    let accessLog: AccessLog
    let readiness: Readiness

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let edge = EdgeHandler(accessLog: accessLog, readiness: readiness)
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = EdgeLimits.maximumHeadBytes
            limits.maxHeaderListSize = EdgeLimits.maximumHeadBytes
            limits.maxHeaderFieldCount = EdgeLimits.maximumHeaderFields
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(FirstByteHandler(edge))
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(edge)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: nil, logger: logger))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        value.channel.triggerUserOutboundEvent(EdgeHandler.Attended(), promise: nil)
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await handleHTTP(asyncChannel: value, logger: logger)
        }
    }
}
