import AttestationVerifier
import SimulatedNitro

/// Changes of the certificates.
enum ChainChange {
    /// An authority with all the names of the genuine one and none of its keys.
    private static let stranger = NitroPKI(seed: "stranger", instanceID: NitroDraft.instanceID)
    /// The genuine authority's chain to another instance.
    private static let neighbour = NitroPKI(instanceID: "i-0fedcba9876543210")
    private static let donors: [[UInt8]] = [stranger, neighbour].flatMap { authority in
        let chain = authority.chain(moduleID: "\(authority.instanceID)-enc1", at: CaseDraft.now)
        // Every genuine chain begins with the same root and the same regional and zonal keys and names, rightly.
        return (authority.instanceID == neighbour.instanceID ? [chain.cabundle[3]] : chain.cabundle) + [chain.leaf]
    }

    /// Certificates of other places and chains in this one; never the same list again.
    static func splice(_ payload: CBORItem, _ random: inout SplitMix) -> CBORItem {
        change(payload) { certificates in
            let original = certificates
            repeat {
                certificates = original
                let (first, second) = (random.below(certificates.count), random.below(certificates.count))
                switch random.below(4) {
                case 0: certificates.swapAt(first, second)
                case 1: certificates.remove(at: first)
                case 2: certificates.insert(certificates[first], at: second)
                default: certificates[first] = random.pick(donors)
                }
                // The root signed itself too: once more at the front it is a rightful link.
            } while certificates == original || certificates.starts(with: [original[0], original[0]])
        }
    }

    /// One certificate with changed bytes.
    static func damage(_ payload: CBORItem, _ random: inout SplitMix) -> CBORItem {
        change(payload) { certificates in
            let index = random.below(certificates.count)
            let kind = random.pick([MutationKind.bitFlips, .bitFlips, .bitFlips, .byteChanges, .insertion, .deletion])
            certificates[index] = ByteChange.apply(kind, to: certificates[index], &random)
        }
    }

    /// The same statement by an enclave of another root, whose bundle may begin with the pinned one.
    static func foreign(_ source: MutationSource, _ random: inout SplitMix) -> [UInt8] {
        let chain = stranger.chain(moduleID: source.document.moduleID, at: CaseDraft.now + UInt64(random.below(2)))
        let keepsRoot = random.below(2) == 0
        let keepsBundle = random.below(4) == 0
        let payload = change(source.payload) { certificates in
            let root = certificates[0]
            let bundle = keepsBundle ? Array(certificates.dropLast()) : chain.cabundle
            certificates = bundle + [chain.leaf]
            if keepsRoot { certificates[0] = root }
        }
        return source.document(payload, by: chain.leafKey)
    }

    /// Lets `body` change the certificates, root first, leaf last.
    private static func change(_ payload: CBORItem, _ body: (inout [[UInt8]]) -> Void) -> CBORItem {
        guard case .map(var fields, let isIndefinite) = payload,
            let leaf = fields.firstIndex(where: { $0.key == .text("certificate") }),
            let bundle = fields.firstIndex(where: { $0.key == .text("cabundle") })
        else { return payload }
        var certificates = (fields[bundle].value.items + [fields[leaf].value]).compactMap { item -> [UInt8]? in
            guard case .bytes(let bytes) = item else { return nil }
            return bytes
        }
        body(&certificates)
        fields[leaf].value = .bytes(certificates.popLast() ?? [])
        fields[bundle].value = .array(certificates.map { .bytes($0) })
        return .map(fields, isIndefinite: isIndefinite)
    }
}
