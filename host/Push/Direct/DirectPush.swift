import AsyncHTTPClient
import Foundation
import HostRuntime
import NIOCore
import NIOHTTP1
import NIOHTTP2

/// Delivery to APNs itself, over HTTP/2, for one environment.
struct DirectPush: PushTransport {
    /// Longest answer that is read; APNs' are below a hundred bytes.
    static let maximumAnswerBytes = 16 * 1024
    /// Most streams at once, where the peer would allow more.
    static let maximumStreams = 500

    private let client: HTTPClient
    private let url: ServiceURL
    private let topic: String
    private let tokens: ProviderTokens
    private let timeout: Duration
    private let log: HostLog
    private let gate = StreamGate(maximumStreams)

    init(
        client: HTTPClient, url: ServiceURL, topic: String, tokens: ProviderTokens, timeout: Duration, log: HostLog
    ) {
        self.client = client
        self.url = url
        self.topic = topic
        self.tokens = tokens
        self.timeout = timeout
        self.log = log
    }

    /// Sends within the timeout, repeats included.
    func send(_ message: PushMessage) async -> PushAnswer {
        guard DirectPayload.isToken(message.deviceToken) else {
            return .refused(code: "APNS_BADDEVICETOKEN", deviceIsGone: false)
        }
        guard let body = DirectPayload.body(message) else {
            return .refused(code: "APNS_PAYLOADTOOLARGE", deviceIsGone: false)
        }
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let answer = await gate.pass { await exchange(message, body, deadline) }
        if case .misconfigured(let code) = answer {
            log.event("push_refused_by_configuration", .error, [LogField(.code, code)])
        }
        return answer
    }

    private func exchange(_ message: PushMessage, _ body: [UInt8], _ deadline: NIODeadline) async -> PushAnswer {
        do {
            let token = try await tokens.current()
            let answer = try await post(message, body, token, deadline)
            guard answer.tokenIsExpired else { return answer.meaning }
            guard let another = try await tokens.replacement(for: token) else {
                // A young token can only look expired: one of the two clocks is wrong.
                log.event("push_token_refused_as_expired", .error, [LogField(.code, answer.code)])
                return answer.meaning
            }
            return try await post(message, body, another, deadline).meaning
        } catch {
            return .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil)
        }
    }

    /// One request; what a GOAWAY left unprocessed goes out once more at once, under the same id.
    private func post(
        _ message: PushMessage, _ body: [UInt8], _ token: ProviderTokens.Token, _ deadline: NIODeadline
    ) async throws -> DirectAnswer {
        let request = request(message, body, token)
        do {
            return try await execute(request, deadline)
        } catch  where Self.isUnprocessed(error) && !Task.isCancelled {
            return try await execute(request, deadline)
        }
    }

    private func execute(_ request: HTTPClientRequest, _ deadline: NIODeadline) async throws -> DirectAnswer {
        let response = try await client.execute(request, deadline: deadline)
        let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
        return DirectAnswer(
            status: Int(response.status.code), body: Array(body.readableBytesView),
            retryAfter: response.headers.first(name: "retry-after"), now: Date())
    }

    /// Streams above the last id of a GOAWAY end as cancelled, those refused by the peer as refused; a request that the
    /// pool gave to a connection just closing never left.
    static func isUnprocessed(_ error: any Error) -> Bool {
        switch error {
        case let closed as NIOHTTP2Errors.StreamClosed:
            closed.errorCode == .cancel || closed.errorCode == .refusedStream
        case is NIOHTTP2Errors.CreatedStreamAfterGoaway: true
        case let error as HTTPClientError: error == .cancelled
        default: false
        }
    }

    private func request(
        _ message: PushMessage, _ body: [UInt8], _ token: ProviderTokens.Token
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "\(url.text)/3/device/\(message.deviceToken)")
        request.method = .POST
        token.bearer.withValue { request.headers.add(name: "authorization", value: "bearer \($0)") }
        for (name, value) in [
            ("apns-id", message.id.uuidString.lowercased()), ("apns-topic", topic), ("apns-push-type", "alert"),
            ("apns-priority", "10"), ("apns-expiration", String(Int(message.expiresAt.timeIntervalSince1970))),
            ("apns-collapse-id", DirectPayload.collapseID(message)), ("content-type", "application/json"),
        ] {
            request.headers.add(name: name, value: value)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }
}
