import AsyncHTTPClient
import NIOCore
import NIOHTTP2
import NIOSSL

/// The connections by which notifications leave; to be shut down at the end.
public struct PushClients: Sendable {
    /// How long a connection to APNs is kept without a request.
    static let idleTimeout = TimeAmount.hours(1)
    static let connectTimeout = TimeAmount.seconds(5)

    let endpoint: HTTPClient
    let direct: HTTPClient

    /// Clients with the roots of `EGRESS_CA_FILE`, or the public ones.
    public init(rootsFile: String?, maximumConcurrency: Int) {
        self.init(rootsFile: rootsFile, maximumConcurrency: maximumConcurrency, rhythm: .init())
    }

    init(rootsFile: String?, maximumConcurrency: Int, rhythm: ConnectionWatch.Rhythm) {
        var configuration = Self.configuration(rootsFile)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(1, maximumConcurrency)
        endpoint = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        direct = Self.direct(rootsFile, rhythm)
    }

    /// HTTP/2 by ALPN, one connection per host.
    private static func direct(_ rootsFile: String?, _ rhythm: ConnectionWatch.Rhythm) -> HTTPClient {
        var configuration = configuration(rootsFile)
        configuration.httpVersion = .automatic
        configuration.connectionPool.idleTimeout = idleTimeout
        // Before ALPN is known the pool would open several connections at once.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1
        configuration.http2ConnectionDebugInitializer = { channel in
            channel.eventLoop.makeCompletedFuture {
                let operations = channel.pipeline.syncOperations
                let http2 = try operations.handler(type: NIOHTTP2Handler.self)
                try operations.addHandler(ConnectionWatch(rhythm), position: .after(http2))
            }
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    private static func configuration(_ rootsFile: String?) -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let rootsFile { tls.trustRoots = .file(rootsFile) }
        return HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: connectTimeout),
            decompression: .disabled)
    }

    public func shutdown() async throws {
        let first: Result<Void, any Error>
        do { first = .success(try await endpoint.shutdown()) } catch { first = .failure(error) }
        try await direct.shutdown()
        try first.get()
    }
}
