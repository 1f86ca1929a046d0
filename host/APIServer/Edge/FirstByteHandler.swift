import NIOCore

/// Sees the first byte of a head, before the decoder keeps it.
final class FirstByteHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let edge: EdgeHandler

    init(_ edge: EdgeHandler) { self.edge = edge }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard edge.wantsBytes else { return }
        edge.bytesArrived()
        let (count, before) = (unwrapInboundIn(data).readableBytes, edge.partsRead)
        context.fireChannelRead(data)
        edge.bytesPassed(count, read: edge.partsRead != before)
    }
}
