extension CBORItem {
    /// Deepest nesting that is read.
    static let maximumDepth = 16

    /// The one item that `bytes` are; nil for anything malformed or of a kind not written above.
    public init?(decoding bytes: [UInt8]) {
        var reader = Reader(rest: bytes[...])
        guard let item = reader.item(depth: 0), reader.rest.isEmpty else { return nil }
        self = item
    }

    /// The value of the first pair with this text as its key.
    public func value(_ key: String) -> CBORItem? {
        guard case .map(let pairs, _) = self else { return nil }
        return pairs.first { $0.key == .text(key) }?.value
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func item(depth: Int) -> CBORItem? {
            guard depth < CBORItem.maximumDepth, let first = rest.popFirst() else { return nil }
            let major = first >> 5
            if first & 31 == 31 { return major == 4 || major == 5 ? list(major, nil, depth) : nil }
            guard major != 7 else { return simple(first) }
            guard let value = number(first & 31) else { return nil }
            switch major {
            case 0: return .unsigned(value)
            case 1: return .negative(value)
            case 2: return take(value).map { .bytes($0) }
            case 3: return take(value).flatMap { String(validating: $0, as: UTF8.self) }.map { .text($0) }
            case 6: return item(depth: depth + 1).map { .tag(value, $0) }
            default: return value <= UInt64(rest.count) ? list(major, Int(value), depth) : nil
            }
        }

        private func simple(_ first: UInt8) -> CBORItem? {
            switch first {
            case 0xf4: .bool(false)
            case 0xf5: .bool(true)
            case 0xf6: .null
            default: nil
            }
        }

        private mutating func number(_ short: UInt8) -> UInt64? {
            guard short >= 24 else { return UInt64(short) }
            guard short <= 27, let bytes = take(1 << UInt64(short - 24)) else { return nil }
            return bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }

        private mutating func take(_ count: UInt64) -> [UInt8]? {
            guard count <= UInt64(rest.count) else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return Array(rest.prefix(Int(count)))
        }

        private mutating func list(_ major: UInt8, _ count: Int?, _ depth: Int) -> CBORItem? {
            var items: [CBORItem] = []
            let total = count.map { major == 5 ? 2 * $0 : $0 }
            while items.count != total {
                if total == nil, rest.first == 0xff {
                    rest = rest.dropFirst()
                    break
                }
                guard let next = item(depth: depth + 1) else { return nil }
                items.append(next)
            }
            guard major == 5 else { return .array(items, isIndefinite: count == nil) }
            guard items.count.isMultiple(of: 2) else { return nil }
            let pairs = stride(from: 0, to: items.count, by: 2).map { CBORItem.Pair(items[$0], items[$0 + 1]) }
            return .map(pairs, isIndefinite: count == nil)
        }
    }
}
