import HTTPTypes

/// An error as KMS answers it.
struct KMSError: Error, Equatable {
    let type: String
    let message: String?
    let status: Int

    private init(_ type: String, _ message: String? = nil, status: Int = 400) {
        self.type = type
        self.message = message
        self.status = status
    }

    static let invalidCiphertext = KMSError("InvalidCiphertextException")
    static let incorrectKey = KMSError(
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.")
    static let missingToken = KMSError("MissingAuthenticationTokenException", "Missing Authentication Token")
    static let unrecognizedClient = KMSError(
        "UnrecognizedClientException", "The security token included in the request is invalid.")
    static let expiredToken = KMSError(
        "ExpiredTokenException", "The security token included in the request is expired")
    static let unknownOperation = KMSError("UnknownOperationException")
    static let malformedPolicy = KMSError("MalformedPolicyDocumentException")

    static func incompleteSignature(_ message: String) -> KMSError { KMSError("IncompleteSignatureException", message) }
    static func invalidSignature(_ message: String) -> KMSError { KMSError("InvalidSignatureException", message) }
    static func serialization(_ message: String? = nil) -> KMSError { KMSError("SerializationException", message) }
    static func validation(_ message: String) -> KMSError { KMSError("ValidationException", message) }
    static func notFound(_ key: String) -> KMSError { KMSError("NotFoundException", "Key '\(key)' does not exist") }
    static func disabled(_ arn: String) -> KMSError { KMSError("DisabledException", "\(arn) is disabled.") }

    static func invalidState(_ arn: String) -> KMSError {
        KMSError("KMSInvalidStateException", "\(arn) is pending deletion.")
    }

    static func accessDenied(_ principal: String, _ action: String, _ arn: String) -> KMSError {
        KMSError(
            "AccessDeniedException",
            "User: \(principal) is not authorized to perform: \(action) on resource: \(arn) because no resource-based"
                + " policy allows the \(action) action")
    }

    var response: ProviderResponse {
        var body: [String: JSONValue] = ["__type": .string(type)]
        if let message { body["message"] = .string(message) }
        return .kms(.object(body), status: status)
    }
}

extension ProviderResponse {
    static func kms(_ body: JSONValue, status: Int = 200) -> ProviderResponse {
        var headers: HTTPFields = [.contentType: "application/x-amz-json-1.1", .cacheControl: "no-cache, no-store"]
        if let name = HTTPField.Name("x-amzn-RequestId") { headers[name] = Base64URL.random(bytes: 16) }
        return ProviderResponse(status: .init(code: status), headers: headers, body: body.bytes)
    }
}
