import SimulatedNitro

/// Changes that know nothing of what they change.
enum ByteChange {
    static func apply(_ kind: MutationKind, to original: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var bytes = original
        guard !bytes.isEmpty else { return [random.byte()] }
        let position = random.below(bytes.count)
        switch kind {
        case .bitFlips:
            for _ in 0...random.below(8) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
        case .byteChanges:
            let end = min(bytes.count, position + 1 + random.below(16))
            for index in position..<end { bytes[index] = random.pick([0x00, 0xff, 0x80, random.byte()]) }
        case .truncation: bytes = Array(random.below(2) == 0 ? bytes[..<position] : bytes[position...])
        case .insertion:
            let repeated = Array(bytes[position..<min(bytes.count, position + 1 + random.below(64))])
            let inserted = random.below(2) == 0 ? repeated : random.bytes(1 + random.below(16))
            bytes.insert(contentsOf: inserted, at: random.below(bytes.count + 1))
        default: bytes.removeSubrange(position..<min(bytes.count, position + 1 + random.below(64)))
        }
        return bytes
    }
}

/// Changes of COSE_Sign1 that leave payload and signature as they were, or the signature's twin.
enum EnvelopeChange {
    static func apply(to original: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        guard let envelope = CBORItem(decoding: original)?.untagged else { return [] }
        var parts = envelope.items
        guard parts.count == 4, case .bytes(let payload) = parts[2], case .bytes(let signature) = parts[3] else {
            return []
        }
        switch random.below(8) {
        case 0: return CBORItem.tag(random.pick([0, 17, 18, 24, 55799, random.next()]), envelope).encoded()
        case 1: parts[1] = .map([.init(.unsigned(UInt64(random.below(6))), .bytes(random.bytes(4)))])
        case 2:
            parts[0] = .bytes(
                random.pick([
                    [0xa0], [0xa1, 0x01, 0x26], [0xa1, 0x01, 0x38, 0x23], [], [0xbf, 0x01, 0x38, 0x22, 0xff],
                ]))
        case 3: parts[3] = .bytes(CurveKey.flipped(signature))
        case 4: return CBORItem.array(parts, isIndefinite: true).encoded()
        case 5: parts[2] = .raw(CBORItem.head(2, UInt64(payload.count), isLong: true) + payload)
        case 6: parts[3] = .raw([0x5f] + CBORItem.bytes(signature).encoded() + [0xff])
        default: parts.swapAt(random.below(4), random.below(4))
        }
        return CBORItem.array(parts).encoded()
    }
}
