public import AsyncHTTPClient
import Foundation
public import HostRuntime
import NIOCore
import NIOHTTP1
import NIOSSL

/// Delivery to an HTTP endpoint that passes notifications on.
///
/// The body is `{"device_token","title","body"}`; the notification's id is the idempotency key.
public struct EndpointPush: PushTransport {
    /// Longest answer that is read, only to keep the connection usable.
    static let maximumAnswerBytes = 64 * 1024

    public let judgesTokens = false

    private let client: HTTPClient
    private let url: ServiceURL
    private let token: Secret?
    private let timeout: Duration

    public init(client: HTTPClient, url: ServiceURL, token: Secret?, timeout: Duration) {
        self.client = client
        self.url = url
        self.token = token
        self.timeout = timeout
    }

    public func send(_ message: PushMessage) async -> PushAnswer {
        do {
            let response = try await client.execute(request(message), timeout: TimeAmount(timeout))
            _ = try? await response.body.collect(upTo: Self.maximumAnswerBytes)
            return Self.answer(
                Int(response.status.code), retryAfter: response.headers.first(name: "retry-after"), now: Date())
        } catch {
            return .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil)
        }
    }

    private func request(_ message: PushMessage) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "idempotency-key", value: message.id.uuidString.lowercased())
        request.headers.add(name: "x-request-id", value: message.requestID)
        token?.withValue { request.headers.add(name: "authorization", value: "Bearer \($0)") }
        let body = Body(deviceToken: message.deviceToken, title: message.title, body: message.body)
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        return request
    }

    private struct Body: Encodable {
        let deviceToken: String
        let title: String
        let body: String

        enum CodingKeys: String, CodingKey {
            case deviceToken = "device_token"
            case title, body
        }
    }

    /// What an HTTP status means.
    static func answer(_ status: Int, retryAfter: String?, now: Date) -> PushAnswer {
        switch status {
        case 200...299: .delivered
        case 410: .refused(code: "APNS_HTTP_410", deviceIsGone: true)
        case 408, 425, 429, 500, 502, 503, 504:
            .transient(code: "APNS_HTTP_\(status)", retryAfter: RetryAfter.wait(retryAfter, now: now))
        default: .refused(code: "APNS_HTTP_\(status)", deviceIsGone: false)
        }
    }
}
