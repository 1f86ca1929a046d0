import Foundation

/// What a request asks for, as policies see it.
struct KMSAccess {
    /// `kms:Decrypt` and the like.
    var action: String
    var keyARN: String
    var principal: String
    /// Condition keys with their values; the names in lower case.
    var conditions: [String: [String]]
}

/// A policy of a key or of a principal, judged as IAM judges it.
struct KeyPolicy {
    enum Verdict: Equatable {
        case denied
        case silent
        /// Allowed by a statement that names the principal.
        case allowed
        /// Allowed by one that names the whole account: the principal's own policies decide.
        case delegated
    }

    private let statements: [JSONValue]

    /// Nil where this is no policy, or one whose conditions are unknown here.
    init?(_ policy: JSONValue) {
        switch policy["Statement"] {
        case .array(let statements): self.statements = statements
        case .object(let one)?: statements = [.object(one)]
        default: return nil
        }
        for statement in statements {
            guard ["Allow", "Deny"].contains(statement["Effect"]?.text),
                statement["Action"] != nil || statement["NotAction"] != nil,
                Self.conditions(of: statement).allSatisfy({ ConditionOperator($0.operatorName) != nil })
            else { return nil }
        }
    }

    /// What this policy says; `ofKey`: a key policy names principals, a principal's own does not.
    func verdict(on access: KMSAccess, ofKey: Bool) -> Verdict {
        var verdict = Verdict.silent
        for statement in statements where Self.applies(statement, to: access) {
            let reach = ofKey ? Self.reach(of: statement["Principal"], access.principal) : .allowed
            guard reach != .silent else { continue }
            if statement["Effect"]?.text == "Deny" { return .denied }
            if verdict != .allowed { verdict = reach }
        }
        return verdict
    }

    private static func applies(_ statement: JSONValue, to access: KMSAccess) -> Bool {
        if let actions = statement["Action"] {
            guard texts(actions).contains(where: { matches($0.lowercased(), access.action.lowercased()) }) else {
                return false
            }
        } else if texts(statement["NotAction"]).contains(where: { matches($0.lowercased(), access.action.lowercased()) }
        ) {
            return false
        }
        if let resources = statement["Resource"] {
            guard texts(resources).contains(where: { matches($0, access.keyARN) }) else { return false }
        }
        return conditions(of: statement).allSatisfy { condition in
            ConditionOperator(condition.operatorName)?.holds(
                for: access.conditions[condition.key.lowercased()], expected: condition.values) ?? false
        }
    }

    /// Whether a statement speaks of `principal`: by name, by its account, or not at all.
    private static func reach(of stated: JSONValue?, _ principal: String) -> Verdict {
        if stated?.text == "*" { return .allowed }
        let account = accountOfARN(principal)
        var reach = Verdict.silent
        for entry in texts(stated?["AWS"]) {
            if entry == "*" || entry == principal { return .allowed }
            if entry == account || entry == "arn:aws:iam::\(account):root" { reach = .delegated }
        }
        return reach
    }

    private static func conditions(
        of statement: JSONValue
    ) -> [(operatorName: String, key: String, values: [String])] {
        guard case .object(let operators)? = statement["Condition"] else { return [] }
        return operators.flatMap { name, keys -> [(operatorName: String, key: String, values: [String])] in
            guard case .object(let pairs) = keys else { return [] }
            return pairs.map { (name, $0.key, texts($0.value)) }
        }
    }

    static func texts(_ value: JSONValue?) -> [String] {
        switch value {
        case .string(let text): [text]
        case .bool(let flag): [flag ? "true" : "false"]
        case .array(let elements): elements.flatMap { texts($0) }
        default: []
        }
    }

    /// `*` for any text, `?` for one character.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let (pattern, text) = (Array(pattern.unicodeScalars), Array(text.unicodeScalars))
        var (p, t, star, mark) = (0, 0, -1, 0)
        while t < text.count {
            if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t], pattern[p] != "*" {
                (p, t) = (p + 1, t + 1)
            } else if p < pattern.count, pattern[p] == "*" {
                (star, mark, p) = (p, t, p + 1)
            } else if star >= 0 {
                mark += 1
                (p, t) = (star + 1, mark)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }
}

/// A condition operator with its prefix and suffix.
private struct ConditionOperator {
    private enum Quantifier { case none, anyValue, allValues }

    private let comparison: (String, String) -> Bool
    private let isNegated: Bool
    private let ifExists: Bool
    private let isNull: Bool
    private let quantifier: Quantifier

    init?(_ name: String) {
        var base = name
        (quantifier, base) =
            if let rest = base.dropPrefix("ForAnyValue:") {
                (.anyValue, rest)
            } else if let rest = base.dropPrefix("ForAllValues:") { (.allValues, rest) } else { (.none, base) }
        ifExists = base.hasSuffix("IfExists")
        if ifExists { base.removeLast("IfExists".count) }
        isNull = base == "Null"
        isNegated = base.hasPrefix("StringNot")
        switch base.replacingOccurrences(of: "StringNot", with: "String") {
        case "StringEquals", "Null": comparison = { $0 == $1 }
        case "StringEqualsIgnoreCase", "Bool": comparison = { $0.lowercased() == $1.lowercased() }
        case "StringLike", "ArnLike", "ArnEquals": comparison = { KeyPolicy.matches($1, $0) }
        default: return nil
        }
    }

    /// What IAM makes of absent keys: a comparison fails, its negation holds, `ForAllValues` holds.
    func holds(for actual: [String]?, expected: [String]) -> Bool {
        if isNull { return expected.contains((actual == nil) ? "true" : "false") }
        guard let actual else { return isNegated || ifExists || quantifier == .allValues }
        let isExpected: (String) -> Bool = { value in expected.contains { comparison(value, $0) } != isNegated }
        return quantifier == .anyValue || (quantifier == .none && !isNegated)
            ? actual.contains(where: isExpected) : actual.allSatisfy(isExpected)
    }
}
