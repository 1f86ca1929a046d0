import AsyncHTTPClient
public import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// What the iPhone app does: speaks to the REST API, and opens Google's consent page in a browser.
public struct Phone: Sendable {
    /// One answer of the API.
    public struct Answer: Sendable {
        public let status: Int
        public let headers: [String: String]
        public let body: Data

        /// The body as a JSON object; empty when it is none.
        public var json: [String: any Sendable] {
            (try? JSONSerialization.jsonObject(with: body)) as? [String: any Sendable] ?? [:]
        }
        /// A text field of the body.
        public func text(_ name: String) -> String? { json[name] as? String }
        /// `Retry-After` of a refusal.
        public var retryAfter: Duration? { headers["retry-after"].flatMap { Int($0) }.map { .seconds($0) } }
        /// `error.code` of an error answer.
        public var errorCode: String? { (json["error"] as? [String: any Sendable])?["code"] as? String }
    }

    public let api: String
    public let token: String
    private let authority: String

    /// A phone that signs in with `token`; `authority` is the PEM file of the simulators' CA.
    public init(api: String, token: String, authority: String) {
        self.api = api
        self.token = token
        self.authority = authority
    }

    /// The same phone, as another process of the API sees it.
    public func speaking(to api: String) -> Phone { Phone(api: api, token: token, authority: authority) }

    /// Status of a plain GET, nil when nothing answers.
    public static func status(_ url: String) async -> Int? {
        guard let response = try? await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(2))
        else {
            return nil
        }
        _ = try? await response.body.collect(upTo: 1 << 20)
        return Int(response.status.code)
    }

    /// Body of a plain GET.
    public static func text(_ url: String) async throws -> String {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(5))
        return String(buffer: try await response.body.collect(upTo: 1 << 24))
    }

    /// A request to the API with the user's session token.
    public func call(
        _ method: String, _ path: String, _ body: [String: any Sendable]? = nil, headers: [String: String] = [:],
        timeout: Duration = .seconds(30)
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: api + path)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONSerialization.data(withJSONObject: body)))
        }
        return try await Self.execute(request, HTTPClient.shared, timeout)
    }

    /// The answer to `call`; anything but 200 is an error that names the step.
    public func expect(
        _ method: String, _ path: String, _ body: [String: any Sendable]? = nil, headers: [String: String] = [:]
    ) async throws -> Answer {
        let answer = try await call(method, path, body, headers: headers)
        guard answer.status == 200 else {
            throw StackError(
                "\(method) \(path) answered \(answer.status) \(answer.errorCode ?? "")", retryAfter: answer.retryAfter)
        }
        return answer
    }

    /// Connects Google as a person does: start, consent page, bridge, callback.
    ///
    /// - Returns: the callback's answer, whatever its status.
    public func connectGoogle() async throws -> Answer {
        let redirect = try await consent()
        return try await finishConnect(redirect)
    }

    /// The query that Google's consent page and the bridge hand to the app: `code` and `state`.
    public func consent() async throws -> [String: String] {
        let start = try await expect(
            "POST", "/v1/connectors/google/start", ["redirect_uri": "alfred://oauth/google/callback"])
        guard let page = start.text("auth_url") else { throw StackError("connectors/google/start gave no auth_url") }
        let google = try await browse(page)
        guard google.status == 302 || google.status == 303, let bridge = google.headers["location"] else {
            throw StackError("Google's consent page answered \(google.status) without a redirect")
        }
        let back = try await browse(bridge)
        guard back.status == 303, let app = back.headers["location"], let items = URLComponents(string: app)?.queryItems
        else { throw StackError("the bridge answered \(back.status) without a redirect to the app") }
        guard app.hasPrefix("alfred://oauth/google/callback?") else {
            throw StackError("the bridge redirects elsewhere than to the app")
        }
        return Dictionary(items.map { ($0.name, $0.value ?? "") }) { first, _ in first }
    }

    /// The last step: the app hands `code` and `state` to the API.
    public func finishConnect(_ query: [String: String]) async throws -> Answer {
        try await call("POST", "/v1/connectors/google/callback", query)
    }

    /// Registers this phone for notifications.
    public func register(device: String, token: String) async throws {
        _ = try await expect(
            "POST", "/v1/devices/apns", ["device_id": device, "apns_token": token, "environment": "sandbox"])
    }

    /// Sets the quiet hours to none, as their start and end are then the same; a newcomer's are at night in UTC.
    public func switchOffQuietHours() async throws {
        var preferences = try await expect("GET", "/v1/preferences").json
        preferences["quiet_hours_end"] = preferences["quiet_hours_start"]
        _ = try await expect("PUT", "/v1/preferences", preferences)
    }

    /// A GET as the browser does it: no token, no redirect followed, the simulators' CA trusted.
    public func browse(_ url: String) async throws -> Answer {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.tlsConfiguration = .makeClientConfiguration()
        configuration.tlsConfiguration?.trustRoots = .file(authority)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await Self.execute(HTTPClientRequest(url: url), client, .seconds(20))
            try await client.shutdown()
            return answer
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private static func execute(
        _ request: HTTPClientRequest, _ client: HTTPClient, _ timeout: Duration
    ) async throws -> Answer {
        let response = try await client.execute(request, timeout: .milliseconds(Int64(timeout / .milliseconds(1))))
        let body = try await response.body.collect(upTo: 4 << 20)
        let headers = Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
        return Answer(status: Int(response.status.code), headers: headers, body: Data(body.readableBytesView))
    }
}
