import Foundation
import HTTPTypes

/// Stands in for AWS KMS: signatures, key policies, documents and envelopes are judged and made for real.
actor KMSSimulator: ProviderSimulator {
    let region = KMSSettings.region
    let now: @Sendable () -> Date
    private let ledger: Ledger
    var book: KMSKeyBook
    private(set) var credentials: [String: AWSCredentialSet] = [:]
    /// Policies of principals, by ARN; what their account allows them beside key policies.
    private(set) var identityPolicies: [String: JSONValue] = [:]
    private(set) var behaviour = KMSBehaviour()
    private(set) var root: [UInt8]?
    private var turn = 0

    init(settings: KMSSettings, folder: URL, ledger: Ledger, now: @escaping @Sendable () -> Date) throws {
        self.ledger = ledger
        self.now = now
        root = settings.nitroRoot
        book = try KMSKeyBook(in: folder)
        let isNew = book.key(KMSSettings.keyARN) == nil
        if isNew || settings.policy != nil {
            try book.put(
                KMSKeyDescription(arn: KMSSettings.keyARN, policy: settings.policy ?? ["Statement": []]))
        }
    }

    // MARK: - Control

    func add(_ set: AWSCredentialSet) { credentials[set.accessKeyID] = set }
    func removeCredentials(_ id: String) { credentials[id] = nil }
    func setIdentityPolicy(_ policy: JSONValue?, of principal: String) { identityPolicies[principal] = policy }
    func setBehaviour(_ behaviour: KMSBehaviour) { self.behaviour = behaviour }
    func setRoot(_ root: [UInt8]?) { self.root = root }
    func put(_ key: KMSKeyDescription) throws { try book.put(key) }
    func keys() -> [KMSKeyDescription] { book.descriptions }

    // MARK: - The service

    nonisolated func call(of request: ProviderRequest) -> ProviderCall? {
        guard request.method == .post, request.path == "/" || request.path.isEmpty, let name = Self.target,
            let operation = request.headers[name]?.dropPrefix("TrentService.")
        else { return nil }
        return KMSOperation(rawValue: operation)?.call ?? .otherKMSCall
    }

    func answer(_ call: ProviderCall, _ request: ProviderRequest) async -> ProviderResponse {
        do throws(KMSError) {
            let caller = try authenticate(request)
            await ledger.seen(.awsSecret, caller.secretAccessKey)
            guard let operation = KMSOperation.allCases.first(where: { $0.call == call }) else {
                throw .unknownOperation
            }
            guard request.headers[.contentType] == "application/x-amz-json-1.1" else { throw .serialization() }
            guard case .object(let body)? = JSONValue(parsing: request.body) else { throw .serialization() }
            return try spoiled(perform(operation, KMSRequest(body), by: caller))
        } catch {
            return error.response
        }
    }

    nonisolated func unknownEndpoint(_ request: ProviderRequest) -> ProviderResponse {
        ProviderResponse(status: .notFound, body: Array("<UnknownOperationException/>\n".utf8))
    }

    private static let target = HTTPField.Name("x-amz-target")

    private func authenticate(_ request: ProviderRequest) throws(KMSError) -> AWSCredentialSet {
        let signature = try SignatureV4(of: request)
        let token = HTTPField.Name("x-amz-security-token").flatMap { request.headers[$0] }
        guard let set = credentials[signature.accessKeyID], set.sessionToken == token else {
            throw .unrecognizedClient
        }
        try signature.verify(request, secret: set.secretAccessKey, region: region, now: now())
        if let expires = set.expires, expires <= now() { throw .expiredToken }
        return set
    }

    /// The shape of the next envelope.
    func nextShape() -> KMSEnvelopeShape {
        turn += 1
        return behaviour.shape ?? KMSEnvelopeShape.allCases[turn % KMSEnvelopeShape.allCases.count]
    }

    /// What misbehaviour makes of a good answer.
    private func spoiled(_ answer: [String: JSONValue]) -> ProviderResponse {
        var answer = answer
        switch behaviour.misbehaviour {
        case .wrongKeyID where answer["KeyId"] != nil:
            answer["KeyId"] = .string(String(KMSSettings.keyARN.dropLast(4)) + "ffff")
        case .noKeyID: answer["KeyId"] = nil
        case .noEnvelope where answer["CiphertextForRecipient"] != nil: answer["CiphertextForRecipient"] = nil
        case .brokenJSON:
            var response = ProviderResponse.kms(.object(answer))
            response.body.removeLast(2)
            return response
        case .hugeAnswer: answer["Padding"] = .string(String(repeating: "x", count: 4 << 20))
        default: break
        }
        return .kms(.object(answer))
    }
}
