import AttestationVerifier
import SimulatedNitro
import Testing

/// A chain with one certificate that is wrong in one way, signed as it is.
struct RefusedChain: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let fault: NitroFault
    let level: NitroPKI.Level
    let change: @Sendable (inout CertificateDraft) -> Void

    init(
        _ what: String, _ fault: NitroFault, _ level: NitroPKI.Level,
        _ change: @escaping @Sendable (inout CertificateDraft) -> Void
    ) {
        testDescription = what
        self.fault = fault
        self.level = level
        self.change = change
    }

    static let all = [
        RefusedChain("an issuer without cA", .notAnIssuer, .zonal) {
            $0.extensions[0] = .basicConstraints(isAuthority: false)
        },
        RefusedChain("constraints that are not critical", .notAnIssuer, .zonal) {
            $0.extensions[0] = .basicConstraints(isAuthority: true, pathLength: 1, isCritical: false)
        },
        RefusedChain("an issuer without constraints", .notAnIssuer, .instance) { $0.extensions.removeFirst() },
        RefusedChain("a path that is too long", .pathTooLong, .regional) {
            $0.extensions[0] = .basicConstraints(isAuthority: true, pathLength: 1)
        },
        RefusedChain("an issuer without keyCertSign", .keyUsage, .instance) { $0.replaceUsage(0b1000_0000) },
        RefusedChain("an issuer without keyUsage", .keyUsage, .regional) { $0.removeUsage() },
        RefusedChain("a leaf without digitalSignature", .keyUsage, .leaf) { $0.replaceUsage(0b0100_0000) },
        RefusedChain("a leaf with keyCertSign", .keyUsage, .leaf) { $0.replaceUsage(0b1000_0100) },
        RefusedChain("a leaf without keyUsage", .keyUsage, .leaf) { $0.removeUsage() },
        RefusedChain("a leaf with cA", .leafIsIssuer, .leaf) {
            $0.extensions[0] = .basicConstraints(isAuthority: true)
        },
        RefusedChain("an unknown critical extension", .certificateExtension, .leaf) {
            $0.extensions.append(.init("2.5.29.37", isCritical: true, [0x30, 0x00]))
        },
        RefusedChain("an extension twice", .certificateExtension, .zonal) { $0.extensions.append($0.extensions[0]) },
        RefusedChain("cA of another BOOLEAN than FF", .certificateExtension, .zonal) {
            $0.extensions[0].value = [0x30, 0x06, 0x01, 0x01, 0x01, 0x02, 0x01, 0x01]
        },
        RefusedChain("cA FALSE written out", .certificateExtension, .leaf) {
            $0.extensions[0].value = [0x30, 0x03, 0x01, 0x01, 0x00]
        },
        RefusedChain("a length that is not the shortest", .certificateExtension, .leaf) {
            $0.extensions[0].value = [0x30, 0x81, 0x00]
        },
        RefusedChain("another authority's key identifier", .keyIdentifier, .zonal) {
            $0.extensions[1].value = DER.sequence(DER.element(0x80, [UInt8](repeating: 1, count: 20)))
        },
        RefusedChain("ecdsa-with-SHA256", .certificateAlgorithm, .instance) {
            $0.innerAlgorithm = CertificateDraft.Identifier.ecdsaWithSHA256
            $0.outerAlgorithm = CertificateDraft.Identifier.ecdsaWithSHA256
            $0.digest = .sha256
        },
        RefusedChain("another algorithm inside", .certificateAlgorithm, .leaf) {
            $0.innerAlgorithm = CertificateDraft.Identifier.ecdsaWithSHA256
        },
        RefusedChain("version 1", .certificateEncoding, .zonal) { $0.version = 0 },
        RefusedChain("version 2", .certificateEncoding, .zonal) { $0.version = 1 },
        RefusedChain("an empty issuer name", .certificateEncoding, .zonal) { $0.issuer = [0x30, 0x00] },
        RefusedChain("a negative serial number", .certificateEncoding, .leaf) {
            $0.serial = [UInt8](repeating: 1, count: 40)
        },
        RefusedChain("bytes after the certificate", .certificateEncoding, .leaf) { $0.trailing = [0x00] },
        RefusedChain("another signature", .certificateSignature, .regional) { $0.signer = CurveKey(seed: "other") },
        RefusedChain("an expired leaf", .expired, .leaf) { $0.notAfter = NitroStage.now - 1 },
        RefusedChain("an expired issuer", .expired, .zonal) { $0.notAfter = NitroStage.now - 1 },
        RefusedChain("a leaf of tomorrow", .notYetValid, .leaf) { $0.notBefore = NitroStage.now + 1 },
        RefusedChain("a P-256 key", .certificateKey, .leaf) {
            $0.subjectPublicKeyInfo = CurveKey(.p256, seed: "x").subjectPublicKeyInfo
        },
        RefusedChain("a point off the curve", .certificateKey, .leaf) { $0.subjectPublicKeyInfo[119] ^= 1 },
    ]
}

extension CertificateDraft {
    mutating func replaceUsage(_ bits: UInt8) {
        removeUsage()
        extensions.append(.keyUsage(bits))
    }

    mutating func removeUsage() {
        extensions.removeAll { $0.identifier == CertificateDraft.Identifier.keyUsage }
    }
}
