import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// What the metadata of the simulated instance says.
public struct InstanceMetadataSettings: Codable, Sendable, Hashable {
    /// Name of the instance's role; nil: it has none.
    public var role: String?
    /// How long a set of credentials lives.
    public var lifeSeconds: Int
    /// Time before its end at which a set is replaced by a new one.
    public var replacedSeconds: Int

    public init(role: String? = "alfred-parent", lifeSeconds: Int = 21_600, replacedSeconds: Int = 900) {
        self.role = role
        self.lifeSeconds = lifeSeconds
        self.replacedSeconds = replacedSeconds
    }
}

/// The instance metadata service of EC2, version 2 only: a token by PUT, everything else with that token.
actor InstanceMetadata {
    private let kms: KMSSimulator
    private let ledger: Ledger
    private let now: @Sendable () -> Date
    private var settings = InstanceMetadataSettings()
    private var tokens: [String: Date] = [:]
    private var current: AWSCredentialSet?

    init(kms: KMSSimulator, ledger: Ledger, now: @escaping @Sendable () -> Date) {
        self.kms = kms
        self.ledger = ledger
        self.now = now
    }

    func set(_ settings: InstanceMetadataSettings) {
        self.settings = settings
        current = nil
    }

    /// A session token; nil unless `seconds` is 1 to 21,600.
    func token(seconds: Int?) -> String? {
        guard let seconds, (1...21_600).contains(seconds), tokens.count < 10_000 else { return nil }
        let token = Base64URL.random(bytes: 40) + "=="
        tokens[token] = now().addingTimeInterval(Double(seconds))
        return token
    }

    func accepts(_ token: String?) -> Bool {
        guard let token, let end = tokens[token] else { return false }
        return end > now()
    }

    var role: String? { settings.role }

    /// The document of the role's credentials; nil for another role.
    func credentials(of role: String) async -> JSONValue? {
        guard let name = settings.role, name == role else { return nil }
        let set = await currentSet(role: name)
        let format = ISO8601DateFormatter()
        return [
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": .string(format.string(from: now())),
            "AccessKeyId": .string(set.accessKeyID), "SecretAccessKey": .string(set.secretAccessKey),
            "Token": .string(set.sessionToken ?? ""), "Expiration": .string(format.string(from: set.expires ?? now())),
        ]
    }

    private func currentSet(role: String) async -> AWSCredentialSet {
        let limit = now().addingTimeInterval(Double(settings.replacedSeconds))
        if let current, let expires = current.expires, expires > limit { return current }
        let set = AWSCredentialSet.random(
            principal: "arn:aws:iam::\(KMSSettings.account):role/\(role)",
            expires: now().addingTimeInterval(Double(settings.lifeSeconds)))
        current = set
        await kms.add(set)
        await ledger.issued(.awsSecret, set.secretAccessKey)
        return set
    }
}

/// The service's routes: plain HTTP, as on an instance.
struct InstanceMetadataRoutes: Sendable {
    let metadata: InstanceMetadata
    let ledger: Ledger
    let faults: FaultBoard

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.put("latest/api/token") { request, _ in
            try await counted(.metadataToken) {
                guard HTTPField.Name("x-forwarded-for").flatMap({ request.headers[$0] }) == nil else {
                    return Response(status: .forbidden)
                }
                let header = HTTPField.Name("x-aws-ec2-metadata-token-ttl-seconds").flatMap { request.headers[$0] }
                guard let token = await metadata.token(seconds: header.flatMap { Int($0) }) else {
                    return Response(status: .badRequest)
                }
                return Self.text(token)
            }
        }
        router.get("latest/meta-data/iam/security-credentials") { request, _ in
            try await counted(.metadataRole) {
                guard await isAllowed(request) else { return Response(status: .unauthorized) }
                guard let role = await metadata.role else { return Response(status: .notFound) }
                return Self.text(role)
            }
        }
        router.get("latest/meta-data/iam/security-credentials/:role") { request, context in
            let role = try context.parameters.require("role")
            return try await counted(.metadataCredentials) {
                guard await isAllowed(request) else { return Response(status: .unauthorized) }
                guard let document = await metadata.credentials(of: role) else { return Response(status: .notFound) }
                return Self.text(String(decoding: document.bytes, as: UTF8.self))
            }
        }
        return router
    }

    private func isAllowed(_ request: Request) async -> Bool {
        let token = HTTPField.Name("x-aws-ec2-metadata-token").flatMap { request.headers[$0] }
        return await metadata.accepts(token)
    }

    /// Counts a call and lets the fault that is switched on strike: only late answers and statuses happen here.
    private func counted(
        _ call: ProviderCall, _ answer: @Sendable () async throws -> Response
    ) async throws -> Response {
        await ledger.arrived(call)
        let fault = await faults.take(for: call)
        if let fault, fault.latencyMilliseconds > 0 {
            try await Task.sleep(for: .milliseconds(fault.latencyMilliseconds))
        }
        let response: Response
        if case .status(let code, _, _)? = fault?.effect {
            response = Response(status: .init(code: code))
        } else {
            response = try await answer()
        }
        await ledger.answered(call, status: response.status.code)
        return response
    }

    private static func text(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
