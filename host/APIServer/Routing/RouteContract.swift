import HTTPTypes

/// What a route promises beside its own answer; the published contract is compared with it, and so is every answer.
extension Route {
    var needsUser: Bool {
        switch handler {
        case .open: false
        case .user, .formerUser: true
        }
    }

    /// Whether a repeated request with the same `Idempotency-Key` is answered again instead of being done again.
    var isRepeatable: Bool { method == .post && needsUser }

    /// Every refusal that a request to this route may meet.
    var answeredErrors: Set<APIErrorCode> {
        var codes = errors.union(Self.everywhere)
        if bucket != nil { codes.insert(.rateLimited) }
        switch handler {
        case .open: break
        case .user: codes.formUnion([.unauthorized, .rateLimited, .clerkJWKSUnavailable, .accountDeleted])
        case .formerUser: codes.formUnion([.unauthorized, .rateLimited, .clerkJWKSUnavailable])
        }
        if body != .none { codes.formUnion([.unsupportedMediaType, .invalidJSON, .invalidRequestBody]) }
        if isRepeatable {
            codes.formUnion([.invalidIdempotencyKey, .idempotencyInProgress, .idempotencyKeyReused])
            codes.formUnion(APIErrorCode.enclave)
        }
        return codes
    }

    /// Framing, and what the service itself may lack.
    private static let everywhere: Set<APIErrorCode> = [
        .headersTooLarge, .payloadTooLarge, .invalidRequest, .expectationFailed, .requestReadTimeout, .requestTimeout,
        .internalError, .databaseUnavailable, .schemaOutdated, .draining,
    ]
}

extension APIErrorCode {
    /// Refusals of the enclave that any call of it may meet.
    static let enclave: Set<APIErrorCode> = [
        .securityRuntimeUnavailable, .securityRuntimeMisconfigured, .decryptNotAuthorized,
    ]

    /// And those that a call for a connector may meet.
    static let connector: Set<APIErrorCode> = enclave.union([.connectorTokenUnavailable, .googleConnectorNotActive])
}
