/// Everything a certificate says, each field open to be wrong on purpose, and its signature.
public struct CertificateDraft: Sendable {
    /// One extension; `value` is the DER inside the octet string.
    public struct Extension: Sendable {
        public var identifier: String
        public var isCritical: Bool
        public var value: [UInt8]

        public init(_ identifier: String, isCritical: Bool = false, _ value: [UInt8]) {
            self.identifier = identifier
            self.isCritical = isCritical
            self.value = value
        }
    }

    /// Object identifiers of the extensions that the chain has.
    public enum Identifier {
        public static let basicConstraints = "2.5.29.19"
        public static let keyUsage = "2.5.29.15"
        public static let subjectKey = "2.5.29.14"
        public static let authorityKey = "2.5.29.35"
        public static let revocationLists = "2.5.29.31"
        public static let ecdsaWithSHA384 = "1.2.840.10045.4.3.3"
        public static let ecdsaWithSHA256 = "1.2.840.10045.4.3.2"
    }

    /// 2 is v3.
    public var version: UInt8 = 2
    public var serial: [UInt8]
    public var issuer: [UInt8]
    public var subject: [UInt8]
    public var notBefore: UInt64
    public var notAfter: UInt64
    public var subjectPublicKeyInfo: [UInt8]
    public var extensions: [Extension]
    public var innerAlgorithm = Identifier.ecdsaWithSHA384
    public var outerAlgorithm = Identifier.ecdsaWithSHA384
    public var digest = Digest.sha384
    /// The key that signs; the issuer's, unless a test wants another.
    public var signer: CurveKey
    /// Last word on the parts of the body: version, serial, algorithm, issuer, validity, subject, key, extensions.
    public var alterBody: @Sendable (inout [[UInt8]]) -> Void = { _ in }
    /// Last word on the signature's DER.
    public var alterSignature: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    /// Last word on the finished certificate.
    public var alterWhole: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    /// Bytes after the certificate.
    public var trailing: [UInt8] = []

    public init(
        serial: [UInt8], issuer: [UInt8], subject: [UInt8], notBefore: UInt64, notAfter: UInt64,
        subjectPublicKeyInfo: [UInt8], extensions: [Extension], signer: CurveKey
    ) {
        self.serial = serial
        self.issuer = issuer
        self.subject = subject
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.subjectPublicKeyInfo = subjectPublicKeyInfo
        self.extensions = extensions
        self.signer = signer
    }

    /// The certificate, DER.
    public func encoded() -> [UInt8] {
        var parts = body()
        alterBody(&parts)
        let signed = DER.sequence(of: parts)
        let signature = alterSignature(signer.derSignature(signed, digest: digest))
        let whole = DER.sequence(signed, DER.sequence(DER.identifier(outerAlgorithm)), DER.bits(signature))
        return alterWhole(whole) + trailing
    }

    private func body() -> [[UInt8]] {
        let list = extensions.map { item in
            DER.sequence(
                DER.identifier(item.identifier), item.isCritical ? DER.yes : [], DER.octets(item.value))
        }
        return [
            version == 0 ? [] : DER.element(0xa0, DER.integer(version)), DER.integer(serial),
            DER.sequence(DER.identifier(innerAlgorithm)), issuer,
            DER.sequence(DER.time(notBefore), DER.time(notAfter)), subject, subjectPublicKeyInfo,
            list.isEmpty ? [] : DER.element(0xa3, DER.sequence(of: list)),
        ]
    }

    /// A name of a common name and the rest that the chain's names share.
    public static func name(_ common: String) -> [UInt8] {
        let attributes = [
            ("2.5.4.6", 0x13, "US"), ("2.5.4.10", 0x0c, "Simulated"), ("2.5.4.11", 0x0c, "Test only"),
            ("2.5.4.3", UInt8(0x0c), common),
        ]
        return DER.sequence(
            of: attributes.map { identifier, tag, text in
                DER.set(DER.sequence(DER.identifier(identifier), DER.element(tag, Array(text.utf8))))
            })
    }
}

extension CertificateDraft.Extension {
    /// Of an issuer, with or without a path length, or of an end (`isAuthority` false, as DER leaves it out).
    public static func basicConstraints(
        isAuthority: Bool, pathLength: UInt8? = nil, isCritical: Bool = true
    ) -> Self {
        let length = pathLength.map { DER.integer($0) } ?? []
        return Self(
            CertificateDraft.Identifier.basicConstraints, isCritical: isCritical,
            DER.sequence(isAuthority ? DER.yes : [], length))
    }

    /// `bits` begins with digitalSignature at its highest bit.
    public static func keyUsage(_ bits: UInt8, isCritical: Bool = true) -> Self {
        Self(
            CertificateDraft.Identifier.keyUsage, isCritical: isCritical,
            DER.bits([bits], unused: UInt8(bits.trailingZeroBitCount)))
    }

    static func subjectKey(_ key: CurveKey) -> Self {
        Self(CertificateDraft.Identifier.subjectKey, DER.octets(Digest.sha1.of(key.publicPoint)))
    }

    static func authorityKey(_ key: CurveKey) -> Self {
        Self(
            CertificateDraft.Identifier.authorityKey,
            DER.sequence(DER.element(0x80, Digest.sha1.of(key.publicPoint))))
    }

    static func revocationList(_ address: String) -> Self {
        let uri = DER.element(0x86, Array(address.utf8))
        return Self(
            CertificateDraft.Identifier.revocationLists,
            DER.sequence(DER.sequence(DER.element(0xa0, DER.element(0xa0, uri)))))
    }
}
