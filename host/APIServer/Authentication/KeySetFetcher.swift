import AsyncHTTPClient
import HostRuntime
import NIOCore
import NIOHTTP1
import NIOSSL

/// Fetches the key set over verified TLS, without following redirects.
struct KeySetFetcher: KeySetSource {
    private let client: HTTPClient
    private let configuration: ClerkConfiguration

    init(client: HTTPClient, configuration: ClerkConfiguration) {
        self.client = client
        self.configuration = configuration
    }

    func fetch() async throws(KeySetFetchFailure) -> FetchedKeySet {
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: TimeAmount(configuration.fetchTimeout))
        } catch let error as HTTPClientError
            where [.deadlineExceeded, .connectTimeout, .readTimeout].contains(error)
        {
            throw .timeout
        } catch {
            throw .unreachable
        }
        guard response.status == .ok else { throw .status }
        var body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: KeySet.maximumBytes)
        } catch is NIOTooManyBytesError {
            throw .oversize
        } catch {
            throw .unreachable
        }
        guard let json = body.readString(length: body.readableBytes) else { throw .unusable }
        return FetchedKeySet(json: json, maximumAge: Self.maximumAge(response.headers["cache-control"]))
    }

    private var request: HTTPClientRequest {
        switch configuration.keySource {
        case .open(let url):
            return HTTPClientRequest(url: url.text)
        case .backend(let url, let secret):
            var request = HTTPClientRequest(url: url.text)
            secret.withValue { request.headers.add(name: "authorization", value: "Bearer \($0)") }
            return request
        }
    }

    /// The `max-age` of the first `Cache-Control` that has one.
    static func maximumAge(_ headers: [String]) -> Int? {
        for directive in headers.flatMap({ $0.split(separator: ",") }) {
            let parts = directive.split(separator: "=", maxSplits: 1).map { String($0).trimmedOfWhiteSpace }
            guard parts.count == 2, parts[0].lowercased() == "max-age", let seconds = Int(parts[1]), seconds >= 0 else {
                continue
            }
            return seconds
        }
        return nil
    }

    /// A client with the roots of `EGRESS_CA_FILE`, or the public ones.
    static func makeClient(rootsFile: String?) -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let rootsFile { tls.trustRoots = .file(rootsFile) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5), read: .seconds(15)), decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 2
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}
