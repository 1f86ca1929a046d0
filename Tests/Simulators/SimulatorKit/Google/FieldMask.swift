/// Google's partial responses: `fields=items(id,start/dateTime),nextPageToken`.
struct FieldMask: Equatable {
    /// Nil: the whole value below this name.
    private var members: [String: FieldMask]?

    /// `value` with nothing but the fields named; the whole value without a mask.
    static func apply(_ text: String?, to value: JSONValue) throws(ProviderRefusal) -> JSONValue {
        guard let text else { return value }
        var rest = Substring(text)
        guard text.utf8.count <= 2048, let mask = list(&rest, depth: 0), rest.isEmpty else {
            throw ProviderRefusal(.badRequest("Invalid field selection \(text.prefix(64))"))
        }
        return mask.filter(value)
    }

    private func filter(_ value: JSONValue) -> JSONValue {
        guard let members else { return value }
        switch value {
        case .array(let elements):
            return .array(elements.map(filter))
        case .object(let object):
            if let rest = members["*"] { return .object(object.mapValues(rest.filter)) }
            return .object(
                object.reduce(into: [:]) { kept, member in
                    kept[member.key] = members[member.key].map { $0.filter(member.value) }
                })
        default:
            return value
        }
    }

    /// `entry,entry,…`
    private static func list(_ rest: inout Substring, depth: Int) -> FieldMask? {
        var mask = FieldMask(members: [:])
        while let (name, below) = entry(&rest, depth: depth) {
            mask.add(name, below)
            guard rest.first == "," else { return mask }
            rest.removeFirst()
        }
        return nil
    }

    /// `name`, `name(list)` or `name/entry`
    private static func entry(_ rest: inout Substring, depth: Int) -> (String, FieldMask)? {
        let name = String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "*" || $0 == "_" })
        guard depth < 16, !name.isEmpty else { return nil }
        rest.removeFirst(name.count)
        switch rest.first {
        case "(":
            rest.removeFirst()
            guard let inner = list(&rest, depth: depth + 1), rest.first == ")" else { return nil }
            rest.removeFirst()
            return (name, inner)
        case "/":
            rest.removeFirst()
            guard let (below, mask) = entry(&rest, depth: depth + 1) else { return nil }
            return (name, FieldMask(members: [below: mask]))
        default:
            return (name, FieldMask(members: nil))
        }
    }

    private mutating func add(_ name: String, _ mask: FieldMask) {
        guard let known = members?[name], let old = known.members, let new = mask.members else {
            members?[name] = mask
            return
        }
        members?[name] = FieldMask(members: old.merging(new) { _, last in last })
    }
}
