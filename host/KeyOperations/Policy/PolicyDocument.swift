import Foundation

/// A key policy of AWS KMS, as far as its holes are concerned.
struct PolicyDocument {
    /// One statement.
    struct Statement {
        /// `Sid`, or the statement's number.
        let name: String
        let isAllow: Bool
        /// ARNs, account numbers or `*`, of other kinds with the kind before it; empty with `NotPrincipal`.
        let principals: [String]
        let hasNotPrincipal: Bool
        let actions: [String]
        let notActions: [String]
        let conditions: [Condition]

        /// Whether the statement speaks of `action`, such as `kms:Decrypt`.
        func covers(_ action: String) -> Bool {
            let action = action.lowercased()
            if !notActions.isEmpty { return !notActions.contains { wildcard($0.lowercased(), matches: action) } }
            return actions.contains { wildcard($0.lowercased(), matches: action) }
        }
    }

    /// One key of a statement's `Condition`.
    struct Condition {
        /// `StringEquals` and the like.
        let test: String
        /// In lower case.
        let key: String
        let values: [String]
    }

    let statements: [Statement]

    /// Nil where `text` is no policy.
    init?(_ text: [UInt8]) {
        guard let policy = try? JSONDecoder().decode(Tree.self, from: Data(text)), let stated = policy["Statement"]
        else { return nil }
        let trees: [Tree] = if case .array(let many) = stated { many } else { [stated] }
        var statements: [Statement] = []
        for (index, tree) in trees.enumerated() {
            guard let statement = Statement(tree, number: index + 1) else { return nil }
            statements.append(statement)
        }
        self.statements = statements
    }
}

extension PolicyDocument.Statement {
    fileprivate init?(_ tree: Tree, number: Int) {
        guard let effect = tree["Effect"]?.texts.first, ["Allow", "Deny"].contains(effect) else { return nil }
        isAllow = effect == "Allow"
        name = tree["Sid"]?.texts.first ?? "statement \(number)"
        hasNotPrincipal = tree["NotPrincipal"] != nil
        principals =
            switch tree["Principal"] {
            case .object(let kinds)?:
                kinds.isEmpty
                    ? ["no readable principal"]
                    : kinds.sorted { $0.key < $1.key }.flatMap { kind, names in
                        let texts = names.texts.isEmpty ? ["without a name"] : names.texts
                        return kind == "AWS" ? texts : texts.map { "\(kind) \($0)" }
                    }
            case let other?: other.texts.isEmpty ? ["no readable principal"] : other.texts
            case nil: hasNotPrincipal ? [] : ["no principal"]
            }
        actions = tree["Action"]?.texts ?? []
        notActions = tree["NotAction"]?.texts ?? []
        guard !actions.isEmpty || !notActions.isEmpty else { return nil }
        var conditions: [PolicyDocument.Condition] = []
        if case .object(let tests)? = tree["Condition"] {
            for (test, keys) in tests.sorted(by: { $0.key < $1.key }) {
                guard case .object(let pairs) = keys else { return nil }
                conditions += pairs.map { key, values in
                    PolicyDocument.Condition(test: test, key: key.lowercased(), values: values.texts)
                }
            }
        }
        self.conditions = conditions
    }
}

/// Any JSON, for a document whose members may be single or lists.
private indirect enum Tree: Decodable {
    case text(String)
    case array([Tree])
    case object([String: Tree])
    case other

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let flag = try? container.decode(Bool.self) {
            self = .text(flag ? "true" : "false")
        } else if let elements = try? container.decode([Tree].self) {
            self = .array(elements)
        } else if let members = try? container.decode([String: Tree].self) {
            self = .object(members)
        } else {
            self = .other
        }
    }

    subscript(name: String) -> Tree? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    var texts: [String] {
        switch self {
        case .text(let text): [text]
        case .array(let elements): elements.flatMap(\.texts)
        case .object, .other: []
        }
    }
}

/// Whether `text` has the form of `pattern`: `*` for any text, `?` for one character.
func wildcard(_ pattern: String, matches text: String) -> Bool {
    let (pattern, text) = (Array(pattern.utf8), Array(text.utf8))
    // `reached[i]`: the pattern so far matches the first i bytes.
    var reached = [true] + [Bool](repeating: false, count: text.count)
    for byte in pattern {
        var next = [Bool](repeating: false, count: text.count + 1)
        for index in 0...text.count {
            if byte == UInt8(ascii: "*") {
                next[index] = reached[index] || (index > 0 && next[index - 1])
            } else if index > 0, byte == UInt8(ascii: "?") || byte == text[index - 1] {
                next[index] = reached[index - 1]
            }
        }
        reached = next
    }
    return reached[text.count]
}
