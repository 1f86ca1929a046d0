import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// What a control call can fail with.
public enum SimulatorControlError: Error, Equatable, Sendable {
    /// The control API answered with an error; `message` is its body.
    case refused(status: Int, message: String)
    /// The answer was not the JSON expected.
    case unreadable
}

/// A client of the simulators' control API.
public struct SimulatorControl: Sendable {
    /// Longest wait for an answer that does not wait itself.
    static let timeout = TimeAmount.seconds(20)
    /// Longest answer that is read.
    static let maximumAnswerBytes = 256 * 1024 * 1024

    private let baseURL: String

    /// - Parameter baseURL: ``SimulatorEndpoints/control``.
    public init(baseURL: String) {
        self.baseURL = baseURL
    }

    // MARK: - Faults and records

    /// Switches a fault on, after those that are on already.
    public func setFault(_ fault: Fault) async throws {
        try await send(.POST, "/faults", fault)
    }

    /// Switches off the faults of one provider, or all of them.
    public func clearFaults(_ provider: Provider? = nil) async throws {
        try await send(.DELETE, "/faults", query: ["provider": provider?.rawValue])
    }

    /// How often each call arrived and how it was answered.
    public func calls() async throws -> [CallCount] {
        try await get("/calls")
    }

    /// How often one call arrived.
    public func count(of call: ProviderCall) async throws -> Int {
        try await calls().first { $0.call == call }?.arrived ?? 0
    }

    /// Counts from zero again.
    public func resetCalls() async throws {
        try await send(.DELETE, "/calls")
    }

    /// Every secret that was issued or presented since the start, in order of appearance.
    public func issuedSecrets() async throws -> [SecretRecord] {
        try await get("/secrets")
    }

    // MARK: - Clerk

    /// A session token for a subject, as Clerk would mint it.
    public func mintToken(subject: String) async throws -> String {
        try await mintToken(TokenRequest(subject: subject))
    }

    /// A session token, with a flaw if asked for.
    public func mintToken(_ request: TokenRequest) async throws -> String {
        let answer: [String: String] = try await call(.POST, "/clerk/tokens", body: request)
        guard let token = answer["token"] else { throw SimulatorControlError.unreadable }
        return token
    }

    /// Signs with a new key from now on.
    ///
    /// - Returns: its `kid`.
    public func rotateClerkKeys(keepOld: Bool) async throws -> String {
        let answer: [String: String] = try await call(
            .POST, "/clerk/rotate", query: ["keep_old": keepOld ? "true" : nil], body: Nothing?.none)
        guard let id = answer["kid"] else { throw SimulatorControlError.unreadable }
        return id
    }

    /// Audience, authorised party and `max-age` of Clerk.
    public func setClerk(_ settings: ClerkSettings) async throws {
        try await send(.PUT, "/clerk/settings", settings)
    }

    // MARK: - Plumbing

    struct Nothing: Codable, Sendable {}

    func get<Answer: Decodable>(_ path: String, query: [String: String?] = [:]) async throws -> Answer {
        try await call(.GET, path, query: query, body: Nothing?.none)
    }

    func send(_ method: HTTPMethod, _ path: String, query: [String: String?] = [:]) async throws {
        _ = try await answer(method, path, query, Nothing?.none, Self.timeout)
    }

    func send(
        _ method: HTTPMethod, _ path: String, query: [String: String?] = [:], _ body: some Encodable
    ) async throws {
        _ = try await answer(method, path, query, body, Self.timeout)
    }

    func call<Answer: Decodable>(
        _ method: HTTPMethod, _ path: String, query: [String: String?] = [:], body: (some Encodable)?
    ) async throws -> Answer {
        guard let bytes = try await answer(method, path, query, body, Self.timeout),
            let value = try? JSONDecoder().decode(Answer.self, from: bytes)
        else { throw SimulatorControlError.unreadable }
        return value
    }

    /// The body of the answer; nil when there is none.
    func answer(
        _ method: HTTPMethod, _ path: String, _ query: [String: String?], _ body: (some Encodable)?,
        _ timeout: TimeAmount
    ) async throws -> Data? {
        let fields = query.compactMap { name, value in value.map { "\(name)=\(FormFields.encode($0))" } }
        var request = HTTPClientRequest(
            url: baseURL + path + (fields.isEmpty ? "" : "?" + fields.joined(separator: "&")))
        request.method = method
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: timeout)
        let bytes = try await response.body.collect(upTo: Self.maximumAnswerBytes)
        guard (200..<300).contains(response.status.code) else {
            throw SimulatorControlError.refused(
                status: Int(response.status.code), message: String(decoding: bytes.readableBytesView, as: UTF8.self))
        }
        return response.status == .noContent ? nil : Data(bytes.readableBytesView)
    }
}
