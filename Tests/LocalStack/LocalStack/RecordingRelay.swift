public import Foundation
import NIOCore
import NIOPosix

/// Sits between host and enclave and keeps every byte that passes, as an attacker on the wire would.
public final class RecordingRelay: Sendable {
    private let channel: any Channel
    private let record: ByteRecord

    /// Listens on `port` of 127.0.0.1 and connects each connection through to `target`.
    public init(port: Int, target: Int) async throws {
        let record = ByteRecord()
        self.record = record
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { inbound in
                ClientBootstrap(group: inbound.eventLoop)
                    .channelOption(.autoRead, value: false)
                    .connect(host: "127.0.0.1", port: target)
                    .flatMapThrowing { outbound in
                        try inbound.pipeline.syncOperations.addHandler(Forwarder(to: outbound, record))
                        try outbound.pipeline.syncOperations.addHandler(Forwarder(to: inbound, record))
                        _ = inbound.setOption(.autoRead, value: true)
                        _ = outbound.setOption(.autoRead, value: true)
                    }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    /// Everything that passed so far, both directions, in pieces as they came.
    public var captured: Data { record.data }

    /// Stops listening.
    public func close() async { try? await channel.close() }
}

/// The bytes kept, bounded.
private final class ByteRecord: @unchecked Sendable {
    static let maximum = 256 << 20
    private let lock = NSLock()
    private var bytes = Data()

    var data: Data { lock.withLock { bytes } }

    func append(_ buffer: ByteBuffer) {
        lock.withLock {
            if bytes.count < Self.maximum { bytes.append(contentsOf: buffer.readableBytesView) }
        }
    }
}

/// Passes bytes of one connection on to the other.
private final class Forwarder: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let other: any Channel
    private let record: ByteRecord

    init(to other: any Channel, _ record: ByteRecord) {
        self.other = other
        self.record = record
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        record.append(buffer)
        other.writeAndFlush(buffer, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
