/// Why a token is refused; logged and counted, never answered.
enum AuthFailure: String, Error, CaseIterable, Sendable {
    case missingToken = "missing_token"
    case malformedToken = "malformed_token"
    case wrongAlgorithm = "wrong_algorithm"
    case unknownKey = "unknown_key"
    case badSignature = "bad_signature"
    case malformedClaims = "malformed_claims"
    case claimMismatch = "claim_mismatch"
    case expiredToken = "expired_token"
    case notYetValid = "not_yet_valid"
    case partyNotAuthorized = "party_not_authorized"
    case invalidSubject = "invalid_subject"
    /// Not the caller's fault: 502.
    case keysUnavailable = "keys_unavailable"
}
