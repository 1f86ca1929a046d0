import Glibc
import NIOCore
import NIOHTTP2
import NIOSSL

/// The connection that a request came in on.
struct PeerConnection: Sendable {
    /// The HTTP/2 stream, or the connection itself with HTTP/1.1.
    let channel: any Channel

    /// Whether the request came as an HTTP/2 stream: only whole connections have a TLS handler of their own.
    func isHTTP2() async throws -> Bool {
        try await channel.eventLoop.submit { Self.tlsHandler(of: channel) == nil }.get()
    }

    /// Closes the TCP connection with a reset, without TLS' closing alert, as a failing network would.
    func reset() async throws {
        let connection = try await isHTTP2() ? channel.parent ?? channel : channel
        if let options = connection as? any SocketOptionProvider {
            try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await connection.eventLoop.submit {
            let operations = connection.pipeline.syncOperations
            // From the TLS handler towards the socket: the handler itself sends no closing alert.
            try operations.context(handlerType: NIOSSLServerHandler.self).close(mode: .all, promise: nil)
        }.get()
    }

    /// Different for connections that are open at the same time.
    var name: String {
        let connection = channel.parent ?? channel
        return "\(ObjectIdentifier(connection)):\(connection.remoteAddress?.port ?? 0)"
    }

    /// Tells the client that no stream after this one is processed, or from this one on.
    func goAway(refusingThis: Bool) async throws {
        let stream = try await channel.getOption(HTTP2StreamChannelOptions.streamID).get()
        let last = refusingThis ? HTTP2StreamID(max(0, Int(stream) - 2)) : stream
        try await send(.goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil))
    }

    func setMaximumStreams(_ count: Int) async throws {
        try await send(.settings(.settings([HTTP2Setting(parameter: .maxConcurrentStreams, value: count)])))
    }

    /// Sends a frame of the whole connection; nothing happens with HTTP/1.1.
    private func send(_ payload: HTTP2Frame.FramePayload) async throws {
        guard let connection = channel.parent, try await isHTTP2() else { return }
        try await connection.writeAndFlush(HTTP2Frame(streamID: .rootStream, payload: payload))
    }

    private static func tlsHandler(of channel: any Channel) -> NIOSSLServerHandler? {
        try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
    }
}
