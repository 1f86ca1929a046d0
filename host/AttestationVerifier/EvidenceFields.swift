public import EnclaveProtocol

internal import Sodium

extension Evidence {
    /// The statement as names and printable values, for people and for JSON.
    public var fields: [(name: String, value: String)] {
        [
            ("runtime", printable(runtime)),
            ("environment", printable(environment)),
            ("measurement", printable(measurement)),
            ("issued_at", "\(issuedAt)"),
            ("challenge_nonce", Hex.encode(challenge.nonce)),
            ("challenge_issued_at", "\(challenge.issuedAt)"),
            ("challenge_expires_at", "\(challenge.expiresAt)"),
            ("challenge_purpose", challenge.purpose),
            ("challenge_request_id", challenge.requestID),
            ("random", Hex.encode(random)),
            ("session_key", Base64.encode(sessionKey)),
            ("signing_key", signingKey.map(Base64.encode) ?? "none"),
        ]
    }
}
