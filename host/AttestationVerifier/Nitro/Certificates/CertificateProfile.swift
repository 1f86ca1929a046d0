/// What a certificate of a Nitro chain says, read strictly: X.509 v3, P-384, ecdsa-with-SHA384, DER throughout.
///
/// The generic path check of TLS libraries accepts much that has no place here (other algorithms, extensions that are
/// marked as not critical or missing), so every point is read and judged by this package's own rules.
struct CertificateProfile: Equatable, Sendable {
    /// Name, DER.
    let issuer: [UInt8]
    /// Name, DER.
    let subject: [UInt8]
    /// Unix seconds.
    let notBefore: UInt64
    /// Unix seconds, included.
    let notAfter: UInt64
    let extensions: CertificateExtensions

    /// AlgorithmIdentifier of ecdsa-with-SHA384: no parameters.
    private static let algorithm: [UInt8] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03]
    /// AlgorithmIdentifier of an EC key on the named curve secp384r1.
    private static let keyAlgorithm: [UInt8] = [
        0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22,
    ]
    private static let uncompressedPointBytes = 97

    /// Reads a whole certificate; `place` names it in refusals.
    init(der: [UInt8], at place: String) throws(NitroRefusal) {
        let parts: Parts
        do throws(DERError) {
            parts = try Parts(der: der)
        } catch {
            throw NitroRefusal(.certificateEncoding, at: place, expected: "DER of X.509 v3", found: error.what)
        }
        guard parts.innerAlgorithm == Self.algorithm, parts.outerAlgorithm == Self.algorithm else {
            throw NitroRefusal(
                .certificateAlgorithm, at: place, expected: "ecdsa-with-SHA384, inside and outside", found: "another")
        }
        guard parts.keyAlgorithm == Self.keyAlgorithm, parts.point.count == Self.uncompressedPointBytes,
            parts.point.first == 0x04
        else {
            throw NitroRefusal(
                .certificateKey, at: place, expected: "an uncompressed point on the named curve P-384",
                found: "another key")
        }
        guard parts.notBefore <= parts.notAfter else {
            throw NitroRefusal(
                .certificateEncoding, at: place, expected: "a validity that begins before it ends",
                found: "\(parts.notBefore) to \(parts.notAfter)")
        }
        issuer = parts.issuer
        subject = parts.subject
        notBefore = parts.notBefore
        notAfter = parts.notAfter
        extensions = try CertificateExtensions(parts.extensions, at: place)
    }

    /// The fields in the order of RFC 5280 section 4.1.
    private struct Parts {
        let innerAlgorithm, outerAlgorithm, issuer, subject, keyAlgorithm, point: [UInt8]
        let notBefore, notAfter: UInt64
        let extensions: ArraySlice<UInt8>

        init(der: [UInt8]) throws(DERError) {
            var file = DERReader(der[...])
            var certificate = try file.inside(0x30, "certificate")
            try file.finish("certificate")

            var body = try certificate.inside(0x30, "tbsCertificate")
            var version = try body.inside(0xA0, "version")
            guard try version.unsigned("version", atMost: 1).elementsEqual([2]) else {
                throw DERError(what: "version: not 3")
            }
            try version.finish("version")
            _ = try body.unsigned("serialNumber", atMost: 21)
            innerAlgorithm = Array(try body.content(0x30, "signature algorithm"))
            issuer = try body.name("issuer")
            var validity = try body.inside(0x30, "validity")
            notBefore = try validity.time("notBefore")
            notAfter = try validity.time("notAfter")
            try validity.finish("validity")
            subject = try body.name("subject")
            var key = try body.inside(0x30, "subjectPublicKeyInfo")
            keyAlgorithm = Array(try key.content(0x30, "key algorithm"))
            point = Array(try key.wholeBits("subjectPublicKey"))
            try key.finish("subjectPublicKeyInfo")
            var wrapper = try body.inside(0xA3, "extensions")
            extensions = try wrapper.content(0x30, "extensions")
            try wrapper.finish("extensions")
            try body.finish("tbsCertificate")

            outerAlgorithm = Array(try certificate.content(0x30, "signatureAlgorithm"))
            var signature = DERReader(try certificate.wholeBits("signatureValue"))
            var pair = try signature.inside(0x30, "signatureValue")
            for part in ["r", "s"] { _ = try pair.unsigned(part, atMost: 49) }
            try pair.finish("signatureValue")
            try signature.finish("signatureValue")
            try certificate.finish("certificate")
        }
    }
}

extension DERReader {
    /// A Name that is not empty: sets of one or more attributes, each an OID and a string.
    fileprivate mutating func name(_ what: String) throws(DERError) -> [UInt8] {
        let element = try element(0x30, what)
        var sequence = DERReader(element.content)
        guard !sequence.isAtEnd else { throw DERError(what: "\(what): empty") }
        while !sequence.isAtEnd {
            var set = try sequence.inside(0x31, what)
            guard !set.isAtEnd else { throw DERError(what: "\(what): an empty set") }
            while !set.isAtEnd {
                var attribute = try set.inside(0x30, what)
                _ = try attribute.content(0x06, what)
                let tag = attribute.nextTag ?? 0
                guard [0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E].contains(tag) else {
                    throw DERError(what: "\(what): an attribute that is no string")
                }
                _ = try attribute.content(tag, what)
                try attribute.finish(what)
            }
        }
        return Array(element.whole)
    }
}
