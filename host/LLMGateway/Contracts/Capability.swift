/// What a model is asked for, each with one contract.
public enum Capability: String, Sendable, CaseIterable {
    case meetingsSummary = "meetings_summary"
    case morningBrief = "morning_brief"
    case urgentEmailSummary = "urgent_email_summary"

    /// Version of all output contracts.
    public static let contractVersion = "2026-02-15"

    /// The JSON Schema of an answer: every field required, no other allowed. Lengths are in ``OutputSafety``: the strict
    /// mode of providers refuses their keywords.
    public var schema: JSONValue {
        let text = JSONValue.object(["type": .string("string")])
        let list = JSONValue.object(["type": .string("array"), "items": text])
        let output =
            switch self {
            case .meetingsSummary:
                Self.object(["title": text, "summary": text, "key_points": list, "follow_ups": list])
            case .morningBrief:
                Self.object([
                    "headline": text, "summary": text, "priorities": list, "schedule": list, "alerts": list,
                ])
            case .urgentEmailSummary:
                Self.object([
                    "should_notify": .object(["type": .string("boolean")]),
                    "urgency": Self.choice(MailVerdict.Urgency.allCases.map(\.rawValue)), "summary": text,
                    "reason": text, "suggested_actions": list,
                ])
            }
        return Self.object(["version": Self.choice([Self.contractVersion]), "output": output])
    }

    private static func choice(_ words: [String]) -> JSONValue {
        .object(["type": .string("string"), "enum": .strings(words)])
    }

    private static func object(_ properties: [String: JSONValue]) -> JSONValue {
        .object([
            "type": .string("object"), "properties": .object(properties),
            "required": .strings(properties.keys.sorted()), "additionalProperties": .bool(false),
        ])
    }
}

/// Why an answer is not of its contract; rules and paths only, nothing of the answer.
public enum ContractFailure: Error, Equatable, Sendable {
    case invalidJSON
    /// The first eight.
    case schemaViolation([String])
    case versionMismatch

    public var name: String {
        switch self {
        case .invalidJSON: "InvalidJson"
        case .schemaViolation: "SchemaViolation"
        case .versionMismatch: "VersionMismatch"
        }
    }

    /// What to mend.
    public var rules: [String] {
        switch self {
        case .invalidJSON: ["$: not JSON"]
        case .schemaViolation(let paths): paths
        case .versionMismatch: ["$.version: must be \(Capability.contractVersion)"]
        }
    }
}

/// Checks a value against the part of JSON Schema that contracts use.
enum SchemaCheck {
    static let maximumPaths = 8

    /// Where `value` breaks `schema`. Names that the schema does not know are somebody else's text and are not told.
    static func violations(of value: JSONValue, _ schema: JSONValue, at path: String = "$") -> [String] {
        switch (schema["type"]?.string, value) {
        case ("object", .object(let members)):
            guard case .object(let properties) = schema["properties"] else { return [] }
            var found: [String] = []
            for (name, rule) in properties.sorted(by: { $0.key < $1.key }) {
                let inner = "\(path).\(name)"
                found += members[name].map { violations(of: $0, rule, at: inner) } ?? ["\(inner): missing"]
            }
            if members.keys.contains(where: { properties[$0] == nil }) { found.append("\(path): unknown field") }
            return found
        case ("array", .array(let items)):
            guard let rule = schema["items"] else { return [] }
            return items.enumerated().flatMap { violations(of: $1, rule, at: "\(path)[\($0)]") }
        case ("string", .string):
            guard let allowed = schema["enum"]?.array, !allowed.contains(value) else { return [] }
            return ["\(path): not one of the allowed values"]
        case ("boolean", .bool): return []
        case (let type, _): return ["\(path): not of type \(type ?? "unknown")"]
        }
    }
}
