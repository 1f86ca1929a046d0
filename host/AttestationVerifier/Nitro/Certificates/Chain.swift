internal import Sodium

/// The certificates of one document, root first, leaf last.
struct Chain {
    static let leafPlace = "certificate"

    private let certificates: [SignedCertificate]
    /// Of each certificate: SHA-256 over the digest before it and its DER, so that it stands for all links above too.
    private let digests: [[UInt8]]
    /// Whether the link to the issuer was verified before.
    private let isKnown: [Bool]

    var leaf: SignedCertificate { certificates[certificates.count - 1] }

    /// Reads the certificates under the pinned root.
    init(
        _ document: NitroDocument, root: NitroRoot, _ rootCertificate: SignedCertificate?, links: LinkCache
    ) throws(NitroRefusal) {
        let encodings = document.bundle + [document.certificate]
        guard let first = encodings.first, let rootCertificate, root.pins(first) else {
            throw NitroRefusal(
                .rootNotPinned, at: Self.place(0, of: encodings.count),
                expected: "SHA-256 \(Hex.encode(root.fingerprint))",
                found: "SHA-256 \(encodings.first.map { Hex.encode(Hash.sha256($0)) } ?? "of nothing")")
        }
        // It would issue itself without end; every other certificate is issued by one of another name.
        guard !encodings.dropFirst().contains(first) else {
            throw NitroRefusal(.nameChaining, at: "cabundle", expected: "the root once", found: "twice")
        }
        var digests = [root.fingerprint]
        for der in encodings.dropFirst() { digests.append(Hash.sha256(digests[digests.count - 1] + der)) }
        var certificates = [rootCertificate]
        var isKnown = [true]
        for (index, der) in encodings.enumerated().dropFirst() {
            let known = links.certificate(digests[index])
            isKnown.append(known != nil)
            if let known {
                certificates.append(known)
            } else {
                certificates.append(try SignedCertificate(der: der, at: Self.place(index, of: encodings.count)))
            }
        }
        self.certificates = certificates
        self.digests = digests
        self.isKnown = isKnown
    }

    /// Judges everything but the signatures at `time` (unix seconds); returns when the first certificate ends.
    func check(at time: UInt64) throws(NitroRefusal) -> UInt64 {
        let count = certificates.count
        for (index, certificate) in certificates.enumerated() {
            let place = Self.place(index, of: count)
            try certificate.profile.requireValid(start: time, end: time, at: place)
            if index == count - 1 {
                try certificate.profile.requireLeaf(at: place)
            } else {
                try certificate.profile.requireIssuer(issuersBelow: count - 2 - index, at: place)
            }
            if index > 0 { try certificate.profile.requireIssued(by: certificates[index - 1].profile, at: place) }
        }
        return certificates.map(\.profile.notAfter).min() ?? 0
    }

    /// Verifies the links that are not known yet, from the root down, and remembers them all. The pinned root needs none.
    func checkSignatures(rememberingIn links: LinkCache, counting count: () -> Void) throws(NitroRefusal) {
        for index in certificates.indices.dropFirst() where !isKnown[index] {
            count()
            guard certificates[index].isSigned(by: certificates[index - 1]) else {
                throw NitroRefusal(
                    .certificateSignature, at: Self.place(index, of: certificates.count),
                    expected: "by the key of the certificate above", found: "of another key, or of other bytes")
            }
        }
        links.remember(certificates.dropFirst(), digests.dropFirst())
    }

    private static func place(_ index: Int, of count: Int) -> String {
        index == count - 1 ? leafPlace : "cabundle[\(index)]"
    }
}
