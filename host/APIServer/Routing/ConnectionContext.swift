import Hummingbird
import NIOCore

/// What is known of the connection a request came on.
struct ConnectionContext: InitializableFromSource, Sendable {
    let peer: SocketAddress?
    /// Runs tasks where the connection is.
    let executor: LoopExecutor
    private let channel: any Channel

    /// Made by Hummingbird for each request.
    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        peer = source.channel.remoteAddress
        executor = LoopExecutor(source.channel.eventLoop)
    }

    /// Of the client; nil off the connection's event loop.
    var presence: ClientPresence? {
        guard channel.eventLoop.inEventLoop else { return nil }
        return try? channel.pipeline.syncOperations.handler(type: EdgeHandler.self).presence
    }
}
