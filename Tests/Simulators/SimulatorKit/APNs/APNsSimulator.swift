import Crypto
import Foundation
import HTTPTypes

/// Apple's push service, and beside it the generic endpoint a push gateway would offer.
actor APNsSimulator: ProviderSimulator {
    /// Longest payload of an alert notification.
    static let maximumPayloadBytes = 4096

    let log = DeliveryLog()
    private let ledger: Ledger
    private let now: @Sendable () -> Date
    private var devices: [String: DeviceState] = [:]
    private var provider = PushProvider()
    private var providerKey: P256.Signing.PublicKey?
    private var tokenUpdates = ProviderTokenUpdates()

    init(ledger: Ledger, now: @escaping @Sendable () -> Date) {
        self.ledger = ledger
        self.now = now
    }

    nonisolated func call(of request: ProviderRequest) -> ProviderCall? {
        if request.path.hasPrefix("/3/device/") { return .devicePush }
        return request.path == "/push" ? .endpointPush : nil
    }

    func answer(_ call: ProviderCall, _ request: ProviderRequest) async -> ProviderResponse {
        await ledger.seen(.pushBearer, request.bearer)
        return call == .devicePush ? await devicePush(request) : await endpointPush(request)
    }

    nonisolated func unknownEndpoint(_ request: ProviderRequest) -> ProviderResponse {
        .json(["reason": "BadPath"], status: .notFound)
    }

    func setDevice(_ token: String, _ state: DeviceState) {
        devices[token] = state
    }

    /// From now on provider tokens and topics are checked against this.
    func setProvider(_ provider: PushProvider) throws {
        providerKey = try provider.key.map { try P256.Signing.PublicKey(pemRepresentation: $0) }
        self.provider = provider
    }

    // MARK: - Apple's protocol

    private func devicePush(_ request: ProviderRequest) async -> ProviderResponse {
        let id = Self.header("apns-id", request) ?? UUID().uuidString
        if let (status, reason) = refusal(request) { return Self.answer(id, status, reason) }
        let token = String(request.path.dropFirst("/3/device/".count))
        let environment = SimulatedAPNs(authority: request.authority)
        switch devices[token] {
        case .registeredOnly(with: let only) where only != environment:
            return Self.answer(id, .badRequest, "BadDeviceToken")
        case .bad: return Self.answer(id, .badRequest, "BadDeviceToken")
        case .otherTopic: return Self.answer(id, .badRequest, "DeviceTokenNotForTopic")
        case .unregistered(let since): return Self.answer(id, .gone, "Unregistered", since: since)
        case .registered, .registeredOnly, nil: break
        }
        let alert = JSONValue(parsing: request.body)?["aps"]?["alert"]
        await record(
            .direct, environment, token, alert?["title"]?.text ?? "", alert?["body"]?.text ?? alert?.text ?? "", id,
            collapse: Self.header("apns-collapse-id", request))
        return Self.answer(id, .ok, nil)
    }

    private func refusal(_ request: ProviderRequest) -> (HTTPResponse.Status, String)? {
        guard request.isHTTP2 else { return (.httpVersionNotSupported, "HTTP2Required") }
        guard request.method == .post else { return (.methodNotAllowed, "MethodNotAllowed") }
        if let reason = ProviderToken.refusal(request.bearer, key: providerKey, provider: provider, at: now()) {
            return (.forbidden, reason)
        }
        if tokenUpdates.isTooMany(request.bearer ?? "", on: request.connection, at: now()) {
            return (.tooManyRequests, "TooManyProviderTokenUpdates")
        }
        if let only = provider.environment, only != SimulatedAPNs(authority: request.authority) {
            return (.forbidden, "BadEnvironmentKeyInToken")
        }
        let token = request.path.dropFirst("/3/device/".count)
        guard !token.isEmpty else { return (.badRequest, "MissingDeviceToken") }
        guard (64...200).contains(token.utf8.count), token.allSatisfy(\.isHexDigit) else {
            return (.badRequest, "BadDeviceToken")
        }
        if let id = Self.header("apns-id", request), UUID(uuidString: id) == nil {
            return (.badRequest, "BadMessageId")
        }
        guard let topic = Self.header("apns-topic", request) else { return (.badRequest, "MissingTopic") }
        guard provider.topic.map({ $0 == topic }) ?? true else { return (.badRequest, "TopicDisallowed") }
        let types = ["alert", "background", "voip", "complication", "fileprovider", "mdm", "location", "liveactivity"]
        guard let type = Self.header("apns-push-type", request), types.contains(type) else {
            return (.badRequest, "InvalidPushType")
        }
        if let priority = Self.header("apns-priority", request), !["1", "5", "10"].contains(priority) {
            return (.badRequest, "BadPriority")
        }
        if let expiration = Self.header("apns-expiration", request), Int(expiration) == nil {
            return (.badRequest, "BadExpirationDate")
        }
        if let collapse = Self.header("apns-collapse-id", request), collapse.utf8.count > 64 {
            return (.badRequest, "BadCollapseId")
        }
        guard request.body.count <= Self.maximumPayloadBytes else { return (.contentTooLarge, "PayloadTooLarge") }
        guard case .object = JSONValue(parsing: request.body)?["aps"] else { return (.badRequest, "PayloadEmpty") }
        return nil
    }

    private static func answer(
        _ id: String, _ status: HTTPResponse.Status, _ reason: String?, since: Int? = nil
    ) -> ProviderResponse {
        var response = ProviderResponse(status: status)
        if let reason {
            var body: [String: JSONValue] = ["reason": .string(reason)]
            body["timestamp"] = since.map { .integer($0) }
            response = .json(.object(body), status: status)
        }
        if let name = HTTPField.Name("apns-id") { response.headers[name] = id }
        return response
    }

    private static func header(_ name: String, _ request: ProviderRequest) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }

    // MARK: - The generic endpoint

    private func endpointPush(_ request: ProviderRequest) async -> ProviderResponse {
        guard request.method == .post else { return Self.refuse(.methodNotAllowed, "method_not_allowed") }
        guard case .object(let members) = JSONValue(parsing: request.body),
            Set(members.keys) == ["device_token", "title", "body"], let token = members["device_token"]?.text,
            let title = members["title"]?.text, let body = members["body"]?.text
        else { return Self.refuse(.badRequest, "bad_body") }
        switch devices[token] {
        case .bad, .otherTopic: return Self.refuse(.badRequest, "bad_device_token")
        case .unregistered: return Self.refuse(.gone, "unregistered")
        case .registered, .registeredOnly, nil: break
        }
        await record(.endpoint, nil, token, title, body, Self.header("idempotency-key", request) ?? "", collapse: nil)
        return .json(["ok": true])
    }

    private static func refuse(_ status: HTTPResponse.Status, _ error: String) -> ProviderResponse {
        .json(["ok": false, "error": .string(error)], status: status)
    }

    private func record(
        _ route: Delivery.Route, _ environment: SimulatedAPNs?, _ token: String, _ title: String, _ body: String,
        _ id: String, collapse: String?
    ) async {
        let time = Int(now().timeIntervalSince1970 * 1000)
        await log.record(
            Delivery(
                sequence: 0, route: route, environment: environment, deviceToken: token, title: title, body: body,
                id: id, collapseID: collapse,
                count: 1, contentChanged: false, firstUnixMilliseconds: time, lastUnixMilliseconds: time))
    }
}
