import AsyncHTTPClient
import Foundation
import HostRuntime
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Calls OpenRouter's chat completions, one try at a time.
struct OpenRouterClient: Sendable {
    /// Longest answer that is read.
    static let maximumAnswerBytes = 1 << 20
    /// How long a model that refused a schema is asked without one.
    static let memoryOfRefusal = Duration.seconds(600)
    static let connectTimeout = TimeAmount.seconds(5)

    let configuration: LLMConfiguration
    let prices: PriceTable
    private let connections: Connections
    private var client: HTTPClient { connections.client }
    private let refusals = Refusals()

    init(_ configuration: LLMConfiguration, prices: PriceTable, rootsFile: String?) {
        self.configuration = configuration
        self.prices = prices
        var tls = TLSConfiguration.makeClientConfiguration()
        if let rootsFile { tls.trustRoots = .file(rootsFile) }
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: Self.connectTimeout),
            decompression: .disabled)
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        connections = Connections(HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings))
    }

    func shutdown() async throws { try await client.shutdown() }

    /// One try within `limit`; a second one without schema where the model refuses schemas.
    func send(_ messages: [LLMMessage], _ output: LLMOutputContract, model: String, within limit: Duration) async
        -> TryResult
    {
        let end = ContinuousClock.now + limit
        let strict = !refusals.holds(model)
        let result = await once(messages, output, model, strict: strict, until: end)
        guard strict, case .failed(_, _, namesSchema: true) = result.ending else { return result }
        refusals.note(model, for: Self.memoryOfRefusal)
        guard ContinuousClock.now < end else { return result }
        return await once(messages, output, model, strict: false, until: end)
    }

    private func once(
        _ messages: [LLMMessage], _ output: LLMOutputContract, _ model: String, strict: Bool,
        until end: ContinuousClock.Instant
    ) async -> TryResult {
        var request = HTTPClientRequest(url: configuration.completionsURL.text)
        request.method = .POST
        configuration.apiKey.withValue { request.headers.add(name: "authorization", value: "Bearer \($0)") }
        request.headers.add(name: "content-type", value: "application/json")
        if let referer = configuration.referer { request.headers.add(name: "http-referer", value: referer) }
        if let title = configuration.title { request.headers.add(name: "x-title", value: title) }
        request.body = .bytes(ByteBuffer(string: body(messages, output, model, strict: strict)))
        do {
            let left = TimeAmount(ContinuousClock.now.duration(to: end))
            let response = try await client.execute(request, timeout: left)
            return await read(response, model)
        } catch {
            return TryResult(ending: Self.ending(of: error), model: model, cost: Self.isUnsent(error) ? 0 : nil)
        }
    }

    private func read(_ response: HTTPClientResponse, _ model: String) async -> TryResult {
        let status = Int(response.status.code)
        let bytes: [UInt8]
        do {
            bytes = Array(try await response.body.collect(upTo: Self.maximumAnswerBytes).readableBytesView)
        } catch {
            let ending = Self.ending(of: error)
            let isDefinite = !(200..<300).contains(status)
            if isDefinite {
                return TryResult(
                    ending: .failed(status: status, code: "unknown", namesSchema: false), model: model, cost: 0)
            }
            return TryResult(
                ending: ending == .cancelled || ending == .timedOut ? ending : .invalid(.bodyReadFailed), model: model)
        }
        var result = ProviderAnswer.result(
            of: bytes, status: status, requestID: response.headers.first(name: "x-request-id"), requested: model,
            prices: prices)
        result.retryAfter = RetryAfter.wait(response.headers.first(name: "retry-after"), now: Date())
        return result
    }

    private func body(
        _ messages: [LLMMessage], _ output: LLMOutputContract, _ model: String, strict: Bool
    ) -> String {
        func quoted(_ text: String) -> String { JSONValue.string(text).text }
        let texts = messages.map { #"{"content":\#(quoted($0.text)),"role":"\#($0.role.rawValue)"}"# }
        let name = quoted(output.name)
        let format =
            strict
            ? #"{"type":"json_schema","json_schema":{"name":\#(name),"strict":true,"schema":\#(output.schema)}}"#
            : #"{"type":"json_object"}"#
        var provider = #"{"data_collection":"\#(configuration.dataCollection)""#
        if strict { provider += #","require_parameters":true"# }
        if configuration.zeroDataRetention { provider += #","zdr":true"# }
        return #"{"model":\#(quoted(model)),"messages":[\#(texts.joined(separator: ","))],"#
            + #""response_format":\#(format),"temperature":0,"max_tokens":\#(configuration.maximumOutputTokens),"#
            + #""stream":false,"usage":{"include":true},"provider":\#(provider)}}"#
    }

    private static func ending(of error: any Error) -> TryResult.Ending {
        if error is CancellationError { return .cancelled }
        switch error as? HTTPClientError {
        case .cancelled: return .cancelled
        case .deadlineExceeded, .readTimeout, .writeTimeout: return .timedOut
        default: return .disconnected(mayHaveSent: !isUnsent(error))
        }
    }

    /// Whether nothing of the request can have reached the provider.
    private static func isUnsent(_ error: any Error) -> Bool {
        switch error as? HTTPClientError {
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout: true
        case nil: error is NIOConnectionError || error is ChannelError || isHandshake(error)
        default: false
        }
    }

    private static func isHandshake(_ error: any Error) -> Bool {
        if case .handshakeFailed = error as? NIOSSLError { return true }
        return false
    }
}

/// Ends the connections with its own life, where start-up fails before anybody could.
private final class Connections: Sendable {
    let client: HTTPClient

    init(_ client: HTTPClient) { self.client = client }

    deinit { client.shutdown { _ in } }
}

/// Models that refused a schema, each until a time.
private final class Refusals: Sendable {
    private let until = Mutex<[String: ContinuousClock.Instant]>([:])

    func holds(_ model: String) -> Bool { until.withLock { ($0[model] ?? .now) > .now } }

    /// There are never more models than the configuration names.
    func note(_ model: String, for time: Duration) { until.withLock { $0[model] = .now + time } }
}
