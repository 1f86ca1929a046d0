import AttestationVerifier
import SimulatedNitro

/// The chain of certificates, each rule broken; documents are signed by the key of their leaf.
enum NitroChainCases {
    private static let now = CaseDraft.now

    private static func refuses(
        _ name: String, _ fault: NitroFault, _ alter: @escaping (inout NitroPKI.Chain) -> Void
    ) throws -> GeneratedCase {
        try NitroCase.refuses(name, .certificateChainInvalid, fault) { $1.alterChain = alter }
    }

    static func certificate(
        _ name: String, _ level: NitroPKI.Level, _ fault: NitroFault,
        _ change: @escaping @Sendable (inout CertificateDraft) -> Void
    ) throws -> GeneratedCase {
        try NitroCase.refuses(name, .certificateChainInvalid, fault) { $1.certificate(level, change) }
    }

    static func all() throws -> [GeneratedCase] {
        try bundles() + roots() + validity() + issuers() + leaves()
    }

    // MARK: Which certificates, in which order

    private static func bundles() throws -> [GeneratedCase] {
        [
            try refuses("bundle-leaf-first", .rootNotPinned) { $0.cabundle.reverse() },
            try refuses("bundle-without-root", .rootNotPinned) { $0.cabundle.removeFirst() },
            try refuses("bundle-root-last", .rootNotPinned) { $0.cabundle.append($0.cabundle.removeFirst()) },
            try refuses("bundle-of-the-root-alone", .nameChaining) { $0.cabundle = [$0.cabundle[0]] },
            try refuses("bundle-without-zonal", .nameChaining) { $0.cabundle.remove(at: 2) },
            try refuses("bundle-two-swapped", .pathTooLong) { $0.cabundle.swapAt(2, 3) },
            try refuses("bundle-with-one-twice", .pathTooLong) { $0.cabundle.insert($0.cabundle[3], at: 3) },
            try refuses("bundle-with-the-root-twice", .nameChaining) { $0.cabundle.insert($0.cabundle[0], at: 1) },
            try refuses("leaf-is-the-instance-certificate", .leafIsIssuer) { chain in
                chain.leaf = chain.cabundle.removeLast()
            },
            try NitroCase.refuses("leaf-of-another-instance", .certificateChainInvalid, .nameChaining) { _, nitro in
                let other = NitroPKI(instanceID: "i-0fedcba9876543210").chain(moduleID: nitro.moduleID, at: now + 1)
                nitro.alterChain = { chain in
                    chain.leaf = other.leaf
                    chain.leafKey = other.leafKey
                }
            },
        ]
    }

    private static func roots() throws -> [GeneratedCase] {
        [
            try NitroCase.refuses("another-root", .certificateChainInvalid, .rootNotPinned) { _, nitro in
                nitro.authority = NitroPKI(seed: "somebody else", instanceID: NitroDraft.instanceID)
            },
            try NitroCase.refuses("root-of-the-same-key", .certificateChainInvalid, .rootNotPinned) { _, nitro in
                // Signed anew with another serial: the key is right, the bytes are not the pinned ones.
                nitro.certificate(.root) { $0.serial[0] ^= 1 }
            },
            try NitroCase.refuses("pinned-root-before-a-foreign-chain", .certificateChainInvalid, .certificateSignature)
            {
                _, nitro in
                let pinned = nitro.authority.root
                nitro.authority = NitroPKI(seed: "somebody else", instanceID: NitroDraft.instanceID)
                nitro.certificate(.regional) { draft in
                    draft.extensions.removeAll { $0.identifier == CertificateDraft.Identifier.authorityKey }
                }
                nitro.alterChain = { $0.cabundle[0] = pinned }
            },
            try NitroCase.refuses("test-root-outside-local", .certificateChainInvalid, .rootNotPinned) { draft, _ in
                draft.environment = "production"
                draft.policy.environment = "production"
            },
            try NitroCase.refuses("root-of-aws-demanded", .certificateChainInvalid, .rootNotPinned) { draft, _ in
                draft.policy.nitroRoot = .aws
            },
        ]
    }

    // MARK: When

    private static func validity() throws -> [GeneratedCase] {
        var cases: [GeneratedCase] = []
        for level in [NitroPKI.Level.regional, .zonal, .instance, .leaf] {
            cases.append(try certificate("\(level)-expired", level, .expired) { $0.notAfter = now + 1 })
            cases.append(try certificate("\(level)-not-yet-valid", level, .notYetValid) { $0.notBefore = now + 3 })
        }
        cases.append(
            try NitroCase.refuses("chain-of-yesterday", .certificateChainInvalid, .expired) {
                $1.chainAt = now - 86_400
            })
        cases.append(
            try NitroCase.refuses("leaf-began-after-the-document", .nitroDocumentInvalid, .timestamp) { draft, nitro in
                nitro.certificate(.leaf) { $0.notBefore = now + 2 }
                draft.judgedAt = now + 10
            })
        cases.append(
            try NitroCase.refuses("leaf-ended-between-document-and-now", .certificateChainInvalid, .expired) {
                draft, nitro in
                nitro.certificate(.leaf) { $0.notAfter = now + 5 }
                draft.judgedAt = now + 6
            })
        cases.append(
            try certificate("regional-ends-before-it-begins", .regional, .certificateEncoding) {
                $0.notAfter = $0.notBefore - 1
            })
        return cases
    }

    // MARK: Who may issue

    private static func issuers() throws -> [GeneratedCase] {
        let constraints = CertificateDraft.Identifier.basicConstraints
        return [
            try certificate("instance-no-authority", .instance, .notAnIssuer) {
                $0.replace(.basicConstraints(isAuthority: false))
            },
            try certificate("zonal-without-constraints", .zonal, .notAnIssuer) { draft in
                draft.extensions.removeAll { $0.identifier == constraints }
            },
            try certificate("regional-constraints-not-critical", .regional, .notAnIssuer) {
                $0.replace(.basicConstraints(isAuthority: true, pathLength: 2, isCritical: false))
            },
            try certificate("regional-path-length-1", .regional, .pathTooLong) {
                $0.replace(.basicConstraints(isAuthority: true, pathLength: 1))
            },
            try certificate("zonal-path-length-0", .zonal, .pathTooLong) {
                $0.replace(.basicConstraints(isAuthority: true, pathLength: 0))
            },
            try NitroCase.refuses("one-issuer-too-many", .certificateChainInvalid, .pathTooLong) { _, nitro in
                // An instance certificate that was allowed nothing below it issues another.
                nitro.alterChain = { chain in
                    let instance = NitroPKI().key(.instance)
                    let own = CurveKey(seed: "one too many")
                    let issuer = CertificateDraft.name("\(NitroDraft.instanceID).eu-central-1.aws.nitro-enclaves")
                    let name = CertificateDraft.name("one too many")
                    let middle = CertificateDraft(
                        serial: [5], issuer: issuer, subject: name, notBefore: now - 60, notAfter: now + 3600,
                        subjectPublicKeyInfo: own.subjectPublicKeyInfo,
                        extensions: [.basicConstraints(isAuthority: true), .keyUsage(0b0000_0100)], signer: instance)
                    let leaf = CertificateDraft(
                        serial: [6], issuer: name, subject: CertificateDraft.name("leaf"), notBefore: now - 4,
                        notAfter: now + 3600, subjectPublicKeyInfo: chain.leafKey.subjectPublicKeyInfo,
                        extensions: [.basicConstraints(isAuthority: false), .keyUsage(0b1100_0000, isCritical: false)],
                        signer: own)
                    chain.cabundle.append(middle.encoded())
                    chain.leaf = leaf.encoded()
                }
            },
            try certificate("instance-may-not-sign-certificates", .instance, .keyUsage) {
                $0.replace(.keyUsage(0b1000_0000))
            },
            try certificate("zonal-without-key-usage", .zonal, .keyUsage) { draft in
                draft.extensions.removeAll { $0.identifier == CertificateDraft.Identifier.keyUsage }
            },
        ]
    }

    private static func leaves() throws -> [GeneratedCase] {
        [
            try certificate("leaf-an-authority", .leaf, .leafIsIssuer) {
                $0.replace(.basicConstraints(isAuthority: true))
            },
            try certificate("leaf-may-not-sign", .leaf, .keyUsage) {
                $0.replace(.keyUsage(0b0100_0000, isCritical: false))
            },
            try certificate("leaf-may-sign-certificates", .leaf, .keyUsage) {
                $0.replace(.keyUsage(0b1000_0100, isCritical: false))
            },
            try certificate("leaf-without-key-usage", .leaf, .keyUsage) { draft in
                draft.extensions.removeAll { $0.identifier == CertificateDraft.Identifier.keyUsage }
            },
        ]
    }
}

extension CertificateDraft {
    /// Puts an extension in the place of the one with the same identifier.
    mutating func replace(_ new: Extension) {
        for index in extensions.indices where extensions[index].identifier == new.identifier { extensions[index] = new }
    }
}
