import EnclaveProtocol
import HostRuntime

/// What the claims of a verified token must say, in the order of the contract.
struct ClerkTokenRules: Sendable {
    /// Tolerated difference of the clocks, in seconds.
    static let leeway = 60.0

    let issuer: String
    let audience: String
    /// Nil when `azp` is not checked.
    let authorizedParties: [String]?

    init(_ configuration: ClerkConfiguration) {
        self.init(
            issuer: configuration.issuer, audience: configuration.audience,
            authorizedParties: configuration.authorizedParties)
    }

    init(issuer: String, audience: String, authorizedParties: [String]?) {
        self.issuer = issuer
        self.audience = audience
        self.authorizedParties = authorizedParties
    }

    /// The user that the claims name at `now`, unix seconds.
    func user(of claims: ClerkClaims, now: Double) throws(AuthFailure) -> UserID {
        guard claims.iss == issuer, claims.aud?.contains(audience) == true else { throw .claimMismatch }
        guard let expiry = claims.exp, let issued = claims.iat else { throw .malformedClaims }
        guard now <= expiry + Self.leeway else { throw .expiredToken }
        guard issued <= now + Self.leeway, (claims.nbf ?? 0) <= now + Self.leeway else { throw .notYetValid }
        if let authorizedParties {
            guard let party = claims.azp, authorizedParties.contains(party) else { throw .partyNotAuthorized }
        }
        let subject = (claims.sub ?? "").trimmedOfWhiteSpace
        guard (1...255).contains(subject.unicodeScalars.count) else { throw .invalidSubject }
        return UserIdentity.userID(issuer: issuer, subject: subject)
    }
}
