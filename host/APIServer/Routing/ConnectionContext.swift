import Hummingbird
import NIOCore

/// What is known of the connection a request came on.
struct ConnectionContext: InitializableFromSource, Sendable {
    let peer: SocketAddress?
    /// Runs tasks where the connection is.
    let executor: LoopExecutor

    /// Made by Hummingbird for each request.
    init(source: ApplicationRequestContextSource) {
        peer = source.channel.remoteAddress
        executor = LoopExecutor(source.channel.eventLoop)
    }
}
