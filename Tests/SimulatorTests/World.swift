import AsyncHTTPClient
import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import SimulatorKit
import Testing

/// Running simulators and a client that trusts their CA.
struct World: Sendable {
    static let redirectURI = "https://app.alfred.test/oauth/google/callback"
    static let clientSecret = "GOCSPX-test-secret"
    static let client = GoogleClient(
        clientID: "test-client", clientSecrets: [clientSecret], redirectURIs: [redirectURI])
    static let calendar = "https://www.googleapis.com/auth/calendar.readonly"
    static let gmail = "https://www.googleapis.com/auth/gmail.readonly"

    let endpoints: SimulatorEndpoints
    let control: SimulatorControl
    let http: HTTPClient

    func send(
        _ method: HTTPMethod, _ url: String, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers = HTTPHeaders(headers)
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await http.execute(request, timeout: .seconds(10))
        let bytes = try await response.body.collect(upTo: 4 * 1024 * 1024)
        return Answer(
            status: Int(response.status.code), version: response.version, headers: response.headers,
            body: Data(bytes.readableBytesView))
    }

    func form(_ path: String, _ fields: [String: String]) async throws -> Answer {
        try await send(
            .POST, endpoints.google + path, headers: [("content-type", "application/x-www-form-urlencoded")],
            body: Self.encode(fields))
    }

    static func encode(_ fields: [String: String]) -> String {
        var components = URLComponents()
        components.queryItems = fields.sorted { $0.key < $1.key }.map { URLQueryItem(name: $0.key, value: $0.value) }
        return (components.percentEncodedQuery ?? "").replacingOccurrences(of: "+", with: "%2B")
    }
}

/// One answer, read whole.
struct Answer: Sendable {
    var status: Int
    var version: HTTPVersion
    var headers: HTTPHeaders
    var body: Data

    /// A text of the JSON body, by path.
    subscript(path: String...) -> String? {
        var value = try? JSONDecoder().decode(JSONValue.self, from: body)
        for name in path {
            if let elements = value?.elements {
                value = Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            } else {
                value = value?[name]
            }
        }
        return value?.text
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: body)
    }
}

/// Starts simulators on ports and in a folder of their own, and stops them after `body`.
func withWorld(
    version: HTTPClient.Configuration.HTTPVersion = .automatic,
    now: @escaping @Sendable () -> Date = { Date() }, _ body: @escaping @Sendable (World) async throws -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "simulators-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let configuration = SimulatorConfiguration(stateFolder: folder.path, googleClient: World.client, now: now)
    try await withSimulators(configuration) { endpoints, control in
        try await withClient(trusting: endpoints.caFile, version: version) { http in
            try await body(World(endpoints: endpoints, control: control, http: http))
        }
    }
}

/// A client that follows no redirect and trusts one CA file; nil: the public roots.
func makeClient(trusting file: String?, version: HTTPClient.Configuration.HTTPVersion) -> HTTPClient {
    var tls = TLSConfiguration.makeClientConfiguration()
    if let file { tls.trustRoots = .file(file) }
    var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
    configuration.httpVersion = version
    // A refused handshake is tried again until the time to connect is over.
    configuration.timeout.connect = .seconds(file == nil ? 1 : 5)
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
}

/// Lends a client to `body`.
func withClient(
    trusting file: String?, version: HTTPClient.Configuration.HTTPVersion = .automatic,
    _ body: (HTTPClient) async throws -> Void
) async throws {
    let http = makeClient(trusting: file, version: version)
    do {
        try await body(http)
    } catch {
        try await http.shutdown()
        throw error
    }
    try await http.shutdown()
}

/// A PKCE pair.
struct PKCE: Sendable {
    let verifier: String
    var challenge: String {
        Data(SHA256.hash(data: Data(verifier.utf8))).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    init(_ verifier: String = "verifier-" + UUID().uuidString) {
        self.verifier = verifier
    }
}

extension World {
    /// Consents as `account`; the query of the redirect.
    func authorize(
        _ pkce: PKCE, account: String = "ada@example.com", scopes: [String] = ["openid", World.calendar],
        changing: [String: String] = [:]
    ) async throws -> (answer: Answer, query: [String: String]) {
        try await control.setConsent(ConsentPolicy(account: account))
        var fields = [
            "client_id": World.client.clientID, "redirect_uri": World.redirectURI, "response_type": "code",
            "scope": scopes.joined(separator: " "), "state": "st_1", "access_type": "offline", "prompt": "consent",
            "code_challenge": pkce.challenge, "code_challenge_method": "S256",
        ]
        fields.merge(changing) { _, new in new }
        let answer = try await send(.GET, endpoints.google + "/o/oauth2/v2/auth?" + Self.encode(fields))
        return (answer, Self.query(of: answer))
    }

    static func query(of answer: Answer) -> [String: String] {
        let items = answer.headers.first(name: "location").flatMap { URLComponents(string: $0)?.queryItems } ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
    }

    func exchange(_ code: String, _ pkce: PKCE, secret: String = World.clientSecret) async throws -> Answer {
        try await form(
            "/token",
            [
                "grant_type": "authorization_code", "client_id": World.client.clientID, "client_secret": secret,
                "code": code, "redirect_uri": World.redirectURI, "code_verifier": pkce.verifier,
            ])
    }

    func refresh(_ token: String, secret: String = World.clientSecret) async throws -> Answer {
        try await form(
            "/token",
            [
                "grant_type": "refresh_token", "client_id": World.client.clientID, "client_secret": secret,
                "refresh_token": token,
            ])
    }

    /// Connects an account; the answer of the token endpoint.
    func connect(account: String = "ada@example.com", scopes: [String] = ["openid", World.calendar]) async throws
        -> Answer
    {
        let pkce = PKCE()
        let code = try #require(try await authorize(pkce, account: account, scopes: scopes).query["code"])
        let answer = try await exchange(code, pkce)
        try #require(answer.status == 200)
        return answer
    }

    func events(_ accessToken: String, _ query: String = "") async throws -> Answer {
        try await send(
            .GET, endpoints.google + "/calendar/v3/calendars/primary/events?" + query,
            headers: [("authorization", "Bearer " + accessToken)])
    }
}
