import AttestationVerifier
import SimulatedNitro

/// Everything that genuine documents do.
enum NitroAcceptedCases {
    private static let now = CaseDraft.now

    static func all() throws -> [GeneratedCase] { try encodings() + chains() + registers() + policies() }

    private static func encodings() throws -> [GeneratedCase] {
        [
            try NitroCase.accepts("indefinite-map"),
            try NitroCase.accepts("definite-map") { $1.alter = { $0.isIndefinite = false } },
            try NitroCase.accepts("indefinite-everywhere") { _, nitro in
                nitro.alter = { document in
                    document.alterFields = { fields in
                        for index in fields.indices { fields[index].value = fields[index].value.indefinite }
                    }
                    document.alterEnvelope = { $0.indefinite }
                }
            },
            try NitroCase.accepts("tag-18") { $1.alter = { $0.alterEnvelope = { .tag(18, $0) } } },
            try NitroCase.accepts("high-s") {
                $1.alter = { $0.alterSignature = { CurveKey.isHigh($0) ? $0 : CurveKey.flipped($0) } }
            },
            try NitroCase.accepts("low-s") {
                $1.alter = { $0.alterSignature = { CurveKey.isHigh($0) ? CurveKey.flipped($0) : $0 } }
            },
            try NitroCase.accepts("fields-in-another-order") { $1.alter = { $0.alterFields = { $0.reverse() } } },
            try NitroCase.accepts("public-key-absent") {
                $1.alter = { $0.alterFields = { $0.removeAll { $0.key == .text("public_key") } } }
            },
            try NitroCase.accepts("heads-not-shortest") { _, nitro in
                // The timestamp always is; here the register indexes are, too.
                nitro.alter = { document in
                    document.alterFields = { fields in
                        for index in fields.indices where fields[index].key == .text("pcrs") {
                            fields[index].value = fields[index].value.withLongKeys
                        }
                    }
                }
            },
        ]
    }

    private static func chains() throws -> [GeneratedCase] {
        [
            try NitroCase.accepts("chain-before-mid-2024") { $1.authority.shape = .beforeMid2024 },
            try NitroCase.accepts("longest-chain") { $1.authority.extraIssuers = 4 },
            try NitroCase.accepts("leaf-begins-with-the-document") { _, nitro in
                nitro.certificate(.leaf) { $0.notBefore = now + 1 }
            },
            try NitroCase.accepts("verifier-clock-behind-the-leaf") { _, nitro in
                // The module's clock is 30 s ahead, so its leaf begins after the verifier's now.
                nitro.chainAt = now + 32
                nitro.timestamp = (now + 32) * 1000
            },
            try NitroCase.accepts("last-second-of-the-leaf") { draft, nitro in
                nitro.certificate(.leaf) { $0.notAfter = now + 2 }
                draft.judgedAt = now + 2
            },
        ]
    }

    private static func registers() throws -> [GeneratedCase] {
        let user = Registers.extended(Registers.zero, by: Array("alfred".utf8))
        return [
            try NitroCase.accepts("pcr16-extended") { _, nitro in nitro.registers.append((16, user)) },
            try NitroCase.accepts("pcr16-demanded") { draft, nitro in
                nitro.registers.append((16, user))
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(3, 16))]
            },
            try NitroCase.accepts("registers-with-gaps") { _, nitro in
                nitro.registers.removeAll { $0.index > 4 && $0.index != 8 }
            },
            try NitroCase.accepts("signed-image") { draft, nitro in
                nitro.registers[8].value = Registers.extended(Registers.zero, by: Array("certificate".utf8))
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(8))]
            },
            try NitroCase.accepts("single-ramdisk") { draft, nitro in
                // PCR2 of an image without further ramdisks: SHA384(0^48 || SHA384("")).
                nitro.registers[2].value = Registers.extended(Registers.zero, by: Digest.sha384.of([]))
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement())]
                draft.policy.kmsAllowedMeasurements = draft.policy.allowedMeasurements
            },
            try NitroCase.accepts("no-role") { _, nitro in nitro.registers[3].value = Registers.zero },
        ]
    }

    private static func policies() throws -> [GeneratedCase] {
        var next = NitroDraft()
        next.registers = NitroDraft.registers(of: "release-2")
        let second = next.measurement()
        return [
            try NitroCase.accepts("second-release-of-two", as: "release-2") { draft, nitro in
                nitro.registers = NitroDraft.registers(of: "release-2")
                draft.policy.allowedMeasurements.append(.init(name: "release-2", second))
                draft.policy.kmsAllowedMeasurements = draft.policy.allowedMeasurements
            },
            try NitroCase.accepts("release-without-a-name", as: NitroDraft().measurement()) { draft, _ in
                draft.policy.allowedMeasurements = [.init(NitroDraft().measurement())]
            },
            try NitroCase.accepts("instance-profile-demanded") { draft, nitro in
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(3))]
            },
            try NitroCase.accepts("key-stated-where-none-is-configured") { draft, _ in draft.policy.publicKeys = [] },
        ]
    }
}

extension CBORItem {
    /// The same list with an open end.
    var indefinite: CBORItem {
        switch self {
        case .array(let items, _): .array(items, isIndefinite: true)
        case .map(let pairs, _): .map(pairs, isIndefinite: true)
        default: self
        }
    }

    /// The same map with each number of its keys in eight bytes.
    var withLongKeys: CBORItem {
        guard case .map(let pairs, let isIndefinite) = self else { return self }
        return .map(
            pairs.map { pair in
                guard case .unsigned(let number) = pair.key else { return pair }
                return Pair(.raw(CBORItem.head(0, number, isLong: true)), pair.value)
            }, isIndefinite: isIndefinite)
    }
}
