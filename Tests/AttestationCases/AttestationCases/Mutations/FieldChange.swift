import SimulatedNitro

/// Changes of the statement's fields.
enum FieldChange {
    static func apply(to payload: CBORItem, _ random: inout SplitMix) -> CBORItem {
        guard case .map(var fields, let isIndefinite) = payload, !fields.isEmpty else { return payload }
        let (first, second) = (random.below(fields.count), random.below(fields.count))
        switch random.below(7) {
        case 0: (fields[first].value, fields[second].value) = (fields[second].value, fields[first].value)
        case 1: fields.remove(at: first)
        case 2: fields.insert(fields[first], at: second)
        case 3: fields.append(.init(fields[first].key, fields[second].value))
        case 4: fields[first].value = .bytes(random.bytes(random.below(80)))
        case 5: fields[first].value = changed(fields[first].value, &random)
        default: fields.append(.init(.text(random.pick(["nitrotpm_pcrs", "comment", "", "pcrs"])), .null))
        }
        return .map(fields, isIndefinite: random.below(4) == 0 ? !isIndefinite : isIndefinite)
    }

    /// One change inside a value: a byte of a string, an element of a list, a number.
    private static func changed(_ value: CBORItem, _ random: inout SplitMix) -> CBORItem {
        switch value {
        case .bytes(let bytes):
            return .bytes(ByteChange.apply(random.pick([.bitFlips, .truncation]), to: bytes, &random))
        case .text(let text): return .text(text + "x")
        case .unsigned(let number): return .unsigned(number ^ (1 << UInt64(random.below(40))))
        case .array(var items, let isIndefinite) where !items.isEmpty:
            let index = random.below(items.count)
            items[index] = changed(items[index], &random)
            return .array(items, isIndefinite: isIndefinite)
        case .map(var pairs, let isIndefinite) where !pairs.isEmpty:
            let index = random.below(pairs.count)
            pairs[index].value = changed(pairs[index].value, &random)
            return .map(pairs, isIndefinite: isIndefinite)
        default: return .bytes([])
        }
    }
}
