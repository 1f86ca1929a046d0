import AttestationVerifier
import SimulatedNitro

/// How each certificate follows from the one above, and how it is written.
enum NitroCertificateCases {
    static func all() throws -> [GeneratedCase] { try links() + encodings() }

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
}
