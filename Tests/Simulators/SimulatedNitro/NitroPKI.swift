/// A certificate authority of the shape that Nitro enclaves have, from a seed: anybody can sign under its root.
///
/// Five P-384 certificates: root, regional (20 days), zonal (6 days), instance (24 hours), leaf (3 hours).
public struct NitroPKI: Sendable {
    /// Which certificate of a chain.
    public enum Level: String, CaseIterable, Sendable { case root, regional, zonal, instance, leaf }

    /// When AWS's instance certificates changed.
    public enum Shape: Sendable {
        case current
        /// The instance certificate has no key identifiers.
        case beforeMid2024
    }

    public let seed: String
    public var region: String
    public var instanceID: String
    public var shape: Shape
    /// Issuers between root and regional certificate, none in AWS's chains.
    public var extraIssuers = 0
    /// Changes a certificate before it is signed; the root is changed in chains only, not in ``root``.
    public var alter: @Sendable (Level, inout CertificateDraft) -> Void = { _, _ in }

    /// Two authorities of one seed are the same.
    public init(
        seed: String = "alfred test authority", region: String = "eu-central-1",
        instanceID: String = "i-0123456789abcdef0", shape: Shape = .current
    ) {
        self.seed = seed
        self.region = region
        self.instanceID = instanceID
        self.shape = shape
    }

    /// The root certificate, DER: what a verifier pins.
    public var root: [UInt8] { rootDraft().encoded() }

    /// SHA-256 of ``root``.
    public var rootFingerprint: [UInt8] { Digest.sha256.of(root) }

    /// The key of a certificate; of the leaf see ``Chain/leafKey``.
    public func key(_ level: Level) -> CurveKey { CurveKey(seed: "\(seed)/\(level.rawValue)") }

    /// A chain as an enclave's first document at `now` (unix seconds) has it: its leaf began four seconds before.
    public func chain(moduleID: String, at now: UInt64) -> Chain {
        let leafKey = CurveKey(seed: "\(seed)/leaf/\(moduleID)/\(now)")
        var certificates: [[UInt8]] = []
        var above = Party(name: commonName(.root, ""), key: key(.root))
        for level in Level.allCases {
            if level == .regional {
                for index in 0..<extraIssuers { certificates.append(extraIssuer(index, under: &above, at: now)) }
            }
            let own = Party(name: commonName(level, moduleID), key: level == .leaf ? leafKey : key(level))
            var draft = level == .root ? rootDraft() : draft(level, own, above, now)
            alter(level, &draft)
            certificates.append(draft.encoded())
            above = own
        }
        let leaf = certificates.removeLast()
        return Chain(cabundle: certificates, leaf: leaf, leafKey: leafKey, madeAt: now)
    }

    /// The certificates of one enclave.
    public struct Chain: Sendable {
        /// Root first, then down to the issuer of the leaf.
        public var cabundle: [[UInt8]]
        public var leaf: [UInt8]
        public var leafKey: CurveKey
        /// Unix seconds.
        public var madeAt: UInt64
    }

    /// 2019-10-28 to 2049-10-28, whatever the clock says.
    private func rootDraft() -> CertificateDraft {
        let key = key(.root)
        let name = CertificateDraft.name(commonName(.root, ""))
        return CertificateDraft(
            serial: [0x1f] + Digest.sha256.of(Array("\(seed)/root".utf8)).prefix(15), issuer: name, subject: name,
            notBefore: 1_572_269_285, notAfter: 2_519_044_085, subjectPublicKeyInfo: key.subjectPublicKeyInfo,
            extensions: [.basicConstraints(isAuthority: true), .subjectKey(key), .keyUsage(Self.authorityUsage)],
            signer: key)
    }

    /// Whom a certificate is of, or by.
    private struct Party {
        var name: String
        var key: CurveKey
    }

    private func draft(_ level: Level, _ own: Party, _ issuer: Party, _ now: UInt64) -> CertificateDraft {
        let (back, life): (UInt64, UInt64) =
            switch level {
            case .root, .regional: (2 * 86_400, 20 * 86_400)
            case .zonal: (86_400, 6 * 86_400)
            case .instance: (2 * 3600, 24 * 3600)
            case .leaf: (4, 3 * 3600 + 3)
            }
        let start = now - back
        return CertificateDraft(
            serial: [0x01] + Digest.sha256.of(Array("\(seed)/\(own.name)/\(start)".utf8)).prefix(15),
            issuer: CertificateDraft.name(issuer.name), subject: CertificateDraft.name(own.name), notBefore: start,
            notAfter: start + life, subjectPublicKeyInfo: own.key.subjectPublicKeyInfo,
            extensions: extensions(level, own.key, issuer.key), signer: issuer.key)
    }

    /// One more authority of the regional kind, with room for those below it.
    private func extraIssuer(_ index: Int, under above: inout Party, at now: UInt64) -> [UInt8] {
        let own = Party(
            name: "extra\(index).\(region).aws.nitro-enclaves", key: CurveKey(seed: "\(seed)/extra\(index)"))
        var draft = draft(.regional, own, above, now)
        draft.extensions[0] = .basicConstraints(isAuthority: true, pathLength: UInt8(2 + extraIssuers - index))
        above = own
        return draft.encoded()
    }

    private func extensions(_ level: Level, _ own: CurveKey, _ issuer: CurveKey) -> [CertificateDraft.Extension] {
        let identifiers: [CertificateDraft.Extension] = [.authorityKey(issuer), .subjectKey(own)]
        switch level {
        case .root, .regional, .zonal:
            let list = "http://crl-\(region).invalid/crl/\(level.rawValue).crl"
            return [.basicConstraints(isAuthority: true, pathLength: level == .zonal ? 1 : 2)] + identifiers
                + [.keyUsage(Self.authorityUsage), .revocationList(list)]
        case .instance:
            return [.basicConstraints(isAuthority: true, pathLength: 0)]
                + (shape == .current ? identifiers : []) + [.keyUsage(0b0000_0100)]
        case .leaf:
            return [.basicConstraints(isAuthority: false), .keyUsage(0b1100_0000, isCritical: false)]
        }
    }

    private func commonName(_ level: Level, _ moduleID: String) -> String {
        func id(_ level: Level) -> String {
            Digest.sha256.of(Array("\(seed)/\(level)/name".utf8)).prefix(8).map(hexadecimal).joined()
        }
        return switch level {
        case .root: "aws.nitro-enclaves"
        case .regional: "\(id(level)).\(region).aws.nitro-enclaves"
        case .zonal: "\(id(level)).zonal.\(region).aws.nitro-enclaves"
        case .instance: "\(instanceID).\(region).aws.nitro-enclaves"
        case .leaf: "\(moduleID).\(region).aws"
        }
    }

    /// digitalSignature, keyCertSign, cRLSign
    private static let authorityUsage: UInt8 = 0b1000_0110
}

/// Two lower-case digits.
func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
