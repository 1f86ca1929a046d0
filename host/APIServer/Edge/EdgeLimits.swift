/// Bounds of every HTTP listener.
enum EdgeLimits {
    /// Request head, names and values together.
    static let maximumHeadBytes = 16 * 1024
    static let maximumHeaderFields = 100
    static let maximumBodyBytes = 64 * 1024
    /// Bytes that may come in without being part of a head or a body: empty lines, extensions of chunks.
    static let maximumSilentBytes = 64 * 1024
    /// From the first byte of a head to its end.
    static let headSeconds: Int64 = 10
    /// From the end of a head to the end of its body.
    static let bodySeconds: Int64 = 15
    /// Without the client taking anything of what is written to it.
    static let writeSeconds: Int64 = 15
    /// A connection without a request.
    static let idleSeconds: Int64 = 75
    /// The same once the listener is closed: long enough for a request that was on its way.
    static let crossingSeconds: Int64 = 1
    /// The same for what connects or falls quiet while the end is announced: the notice and what crosses it.
    static let drainingIdleSeconds: Int64 = 3
    /// From a rejection to the end of the connection, so that the answer is read before a reset can eat it.
    static let lingerSeconds: Int64 = 1
}
