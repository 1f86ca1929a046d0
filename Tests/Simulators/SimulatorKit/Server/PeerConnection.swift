import Glibc
import NIOCore
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

    private static func tlsHandler(of channel: any Channel) -> NIOSSLServerHandler? {
        try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
    }
}
