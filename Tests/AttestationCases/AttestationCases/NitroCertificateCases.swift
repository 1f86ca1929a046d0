import AttestationVerifier
import SimulatedNitro

/// How each certificate follows from the one above, and how it is written.
enum NitroCertificateCases {
    static func all() throws -> [GeneratedCase] { try links() + encodings() + elements() + wrappers() }

    private static func bytes(
        _ name: String, _ alter: @escaping (inout NitroPKI.Chain) -> Void
    ) throws -> GeneratedCase {
        try NitroCase.refuses(name, .certificateChainInvalid, .certificateEncoding) { $1.alterChain = alter }
    }

    // MARK: How one follows from the other

    private static func links() throws -> [GeneratedCase] {
        let key = CurveKey(seed: "another key")
        let stranger = CertificateDraft.name("stranger")
        var cases: [GeneratedCase] = []
        for level in [NitroPKI.Level.regional, .zonal, .instance, .leaf] {
            cases.append(
                try NitroChainCases.certificate("\(level)-signed-by-another-key", level, .certificateSignature) {
                    $0.signer = key
                })
            cases.append(
                try NitroChainCases.certificate("\(level)-of-another-issuer", level, .nameChaining) {
                    $0.issuer = stranger
                })
        }
        let authority = CertificateDraft.Extension(
            CertificateDraft.Identifier.authorityKey,
            DER.sequence(DER.element(0x80, [UInt8](repeating: 1, count: 20))))
        cases.append(
            try NitroChainCases.certificate("zonal-of-another-authority-key", .zonal, .keyIdentifier) {
                $0.replace(authority)
            })
        cases.append(
            try NitroChainCases.certificate("instance-signature-with-a-changed-bit", .instance, .certificateSignature) {
                draft in
                draft.alterSignature = { $0.dropLast() + [($0.last ?? 0) ^ 1] }
            })
        return cases
    }

    // MARK: How they are written

    private static func encodings() throws -> [GeneratedCase] {
        let small = CurveKey(.p256, seed: "small")
        let other = CertificateDraft.Identifier.ecdsaWithSHA256
        let unknown = CertificateDraft.Extension("1.2.3.4", isCritical: true, [0x05, 0x00])
        return [
            try NitroCase.refuses("leaf-on-p256", .certificateChainInvalid, .certificateKey) { _, nitro in
                nitro.certificate(.leaf) { $0.subjectPublicKeyInfo = small.subjectPublicKeyInfo }
            },
            try NitroChainCases.certificate("zonal-on-p256", .zonal, .certificateKey) {
                $0.subjectPublicKeyInfo = small.subjectPublicKeyInfo
            },
            try NitroChainCases.certificate("leaf-rsa", .leaf, .certificateKey) {
                $0.subjectPublicKeyInfo = NitroDraft.rsaPublicKey
            },
            try NitroChainCases.certificate("leaf-point-off-the-curve", .leaf, .certificateKey) {
                $0.subjectPublicKeyInfo[$0.subjectPublicKeyInfo.count - 1] ^= 1
            },
            try NitroChainCases.certificate("zonal-signed-with-sha256", .zonal, .certificateAlgorithm) { draft in
                draft.digest = .sha256
                draft.innerAlgorithm = other
                draft.outerAlgorithm = other
            },
            try NitroChainCases.certificate("instance-outer-algorithm", .instance, .certificateAlgorithm) {
                $0.outerAlgorithm = other
            },
            try NitroChainCases.certificate("instance-inner-algorithm", .instance, .certificateAlgorithm) {
                $0.innerAlgorithm = other
            },
            try NitroChainCases.certificate("leaf-unknown-critical-extension", .leaf, .certificateExtension) {
                $0.extensions.append(unknown)
            },
            try NitroChainCases.certificate("regional-unknown-critical-extension", .regional, .certificateExtension) {
                $0.extensions.append(unknown)
            },
            try NitroChainCases.certificate("instance-extension-twice", .instance, .certificateExtension) {
                $0.extensions.append($0.extensions[0])
            },
            try NitroChainCases.certificate("zonal-boolean-not-ff", .zonal, .certificateExtension) {
                $0.replace(
                    CertificateDraft.Extension(
                        CertificateDraft.Identifier.basicConstraints, isCritical: true,
                        DER.sequence([0x01, 0x01, 0x01], DER.integer(1))))
            },
            try NitroChainCases.certificate("leaf-of-version-1", .leaf, .certificateEncoding) {
                $0.version = 0
                $0.extensions = []
            },
            try NitroChainCases.certificate("leaf-trailing-byte", .leaf, .certificateEncoding) { $0.trailing = [0] },
            try NitroChainCases.certificate("instance-trailing-byte", .instance, .certificateEncoding) {
                $0.trailing = [0]
            },
            try bytes("leaf-of-qemu") { $0.leaf = [UInt8](repeating: 0, count: 64) },
            try bytes("leaf-truncated") { $0.leaf.removeLast() },
        ]
    }

    /// One part of the leaf's body written as DER does not have it, and rightly signed.
    private static func part(
        _ name: String, _ index: Int, _ bytes: [UInt8], _ fault: NitroFault = .certificateEncoding
    ) throws -> GeneratedCase {
        try NitroChainCases.certificate(name, .leaf, fault) { $0.alterBody = { $0[index] = bytes } }
    }

    private static func elements() throws -> [GeneratedCase] {
        func validity(_ begin: String, _ end: String = "251125110000Z", tag: UInt8 = 0x17) -> [UInt8] {
            DER.sequence(DER.element(tag, Array(begin.utf8)), DER.element(tag, Array(end.utf8)))
        }
        let algorithm = DER.identifier(CertificateDraft.Identifier.ecdsaWithSHA384)
        let point = CurveKey(seed: "another key").publicPoint
        let unnamedCurve = DER.sequence(
            DER.sequence(DER.identifier("1.2.840.10045.2.1"), [0x05, 0x00]), DER.bits(point))
        let compressed = DER.sequence(
            DER.sequence(DER.identifier("1.2.840.10045.2.1"), DER.identifier("1.3.132.0.34")),
            DER.bits([0x02 + (point.last ?? 0) % 2] + point[1...48]))
        return [
            try part("leaf-begins-on-30-february", 4, validity("250230000000Z")),
            try part("leaf-begins-at-24-oclock", 4, validity("251124240000Z")),
            try part("leaf-begins-in-a-zone", 4, validity("251125080000+0100")),
            try part("leaf-begins-without-seconds", 4, validity("2511250800Z")),
            try part("leaf-dates-in-the-long-form", 4, validity("20251125080000Z", "20251125110000Z", tag: 0x18)),
            try part("leaf-serial-negative", 1, [0x02, 0x01, 0x80]),
            try part("leaf-serial-not-shortest", 1, [0x02, 0x02, 0x00, 0x01]),
            try part("leaf-subject-empty", 5, DER.sequence()),
            try part(
                "leaf-algorithm-with-parameters", 2, DER.sequence(algorithm, [0x05, 0x00]), .certificateAlgorithm),
            try part("leaf-curve-not-named", 6, unnamedCurve, .certificateKey),
            try part("leaf-point-compressed", 6, compressed, .certificateKey),
            try part("leaf-version-2", 0, DER.element(0xa0, DER.integer(1))),
            try part("leaf-extensions-empty", 7, DER.element(0xa3, DER.sequence()), .certificateExtension),
            try NitroChainCases.certificate("leaf-with-a-unique-id", .leaf, .certificateEncoding) {
                $0.alterBody = { $0.insert([0x81, 0x02, 0x00, 0x01], at: 7) }
            },
            try NitroChainCases.certificate("leaf-key-usage-not-shortest", .leaf, .certificateExtension) {
                $0.replace(
                    CertificateDraft.Extension(CertificateDraft.Identifier.keyUsage, DER.bits([0xc0], unused: 0)))
            },
            try NitroChainCases.certificate("leaf-no-authority-stated", .leaf, .certificateExtension) {
                // FALSE is what the field is without being written; DER leaves it out.
                $0.replace(
                    CertificateDraft.Extension(
                        CertificateDraft.Identifier.basicConstraints, isCritical: true,
                        DER.sequence([0x01, 0x01, 0x00])))
            },
            try NitroChainCases.certificate("zonal-path-length-negative", .zonal, .certificateExtension) {
                $0.replace(
                    CertificateDraft.Extension(
                        CertificateDraft.Identifier.basicConstraints, isCritical: true,
                        DER.sequence(DER.yes, [0x02, 0x01, 0xff])))
            },
        ]
    }

    /// What is around the signed body: nobody signs it, so it must have one form only.
    private static func wrappers() throws -> [GeneratedCase] {
        func whole(
            _ name: String, _ alter: @escaping @Sendable ([UInt8]) -> [UInt8]
        ) throws -> GeneratedCase {
            try NitroChainCases.certificate(name, .leaf, .certificateEncoding) { $0.alterWhole = alter }
        }
        return [
            try whole("leaf-of-indefinite-length") { [0x30, 0x80] + $0.dropFirst(4) + [0x00, 0x00] },
            try whole("leaf-length-not-shortest") { [0x30, 0x83, 0x00] + $0.dropFirst(2) },
            try whole("leaf-of-another-tag") { [0x31] + $0.dropFirst() },
            try NitroChainCases.certificate("leaf-signature-with-a-leading-zero", .leaf, .certificateEncoding) {
                $0.alterSignature = { signature in
                    // r with one zero more than DER allows.
                    let content = Array(signature.dropFirst(2))
                    let r = Array(content[2..<(2 + Int(content[1]))])
                    return DER.sequence(DER.element(0x02, [0] + r), Array(content.dropFirst(2 + r.count)))
                }
            },
            try NitroChainCases.certificate("leaf-signature-with-a-third-number", .leaf, .certificateEncoding) {
                $0.alterSignature = { DER.sequence(Array($0.dropFirst(2)), DER.integer(1)) }
            },
        ]
    }
}
