internal import Sodium

extension CertificateProfile {
    /// What an issuer must say; `issuersBelow` counts the issuers between it and the leaf.
    func requireIssuer(issuersBelow: Int, at place: String) throws(NitroRefusal) {
        guard extensions.isAuthority, extensions.hasCriticalConstraints else {
            throw NitroRefusal(
                .notAnIssuer, at: place, expected: "critical basicConstraints with cA",
                found: extensions.isAuthority ? "not critical" : "no cA")
        }
        guard let usage = extensions.keyUsage, usage.contains(.keyCertSign) else {
            throw NitroRefusal(
                .keyUsage, at: place, expected: "keyCertSign", found: extensions.keyUsage == nil ? "none" : "other uses"
            )
        }
        if let limit = extensions.pathLength, limit < issuersBelow {
            throw NitroRefusal(
                .pathTooLong, at: place, expected: "at most \(limit) issuers below", found: "\(issuersBelow)")
        }
    }

    /// What the certificate of the signing key must say.
    func requireLeaf(at place: String) throws(NitroRefusal) {
        guard !extensions.isAuthority else {
            throw NitroRefusal(.leafIsIssuer, at: place, expected: "no cA", found: "cA")
        }
        guard let usage = extensions.keyUsage, usage.contains(.digitalSignature), !usage.contains(.keyCertSign) else {
            throw NitroRefusal(
                .keyUsage, at: place, expected: "digitalSignature without keyCertSign",
                found: extensions.keyUsage == nil ? "none" : "other uses")
        }
    }

    /// What must fit between a certificate and its issuer, besides the signature.
    func requireIssued(by issuer: CertificateProfile, at place: String) throws(NitroRefusal) {
        guard self.issuer == issuer.subject else {
            throw NitroRefusal(
                .nameChaining, at: place, expected: "issuer \(Hex.encode(issuer.subject))",
                found: "issuer \(Hex.encode(self.issuer))")
        }
        if let stated = extensions.authorityKeyIdentifier, let own = issuer.extensions.subjectKeyIdentifier,
            stated != own
        {
            throw NitroRefusal(
                .keyIdentifier, at: place, expected: "authority \(Hex.encode(own))",
                found: "authority \(Hex.encode(stated))")
        }
    }

    /// Validity, begun at `start` and not ended at `end`; unix seconds.
    func requireValid(start: UInt64, end: UInt64, at place: String) throws(NitroRefusal) {
        guard notBefore <= start else {
            throw NitroRefusal(
                .notYetValid, at: place, expected: "valid at \(start)", found: "valid from \(notBefore)")
        }
        guard notAfter >= end else {
            throw NitroRefusal(.expired, at: place, expected: "valid at \(end)", found: "valid until \(notAfter)")
        }
    }
}
