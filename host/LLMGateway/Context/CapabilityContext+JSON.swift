extension CapabilityContext {
    /// A context that comes as JSON, such as an evaluation's: made harmless and cut like one that was read.
    public init(_ capability: Capability, json: JSONValue) {
        self.init(capability, Self.harmless(json, named: ""), otherDay: nil)
    }

    private static func harmless(_ value: JSONValue, named name: String) -> JSONValue {
        switch value {
        case .string(let text):
            // Line breaks, which the line no longer has, begin sentences too.
            guard !InputSafety.isInstructionLike(text) else { return .string(InputSafety.replacement) }
            return .string(TextNormalization.line(text, limit: ContextLimits.length(of: name)))
        case .array(let items):
            return .array(items.prefix(ContextLimits.count(of: name)).map { harmless($0, named: name) })
        case .object(let members):
            return .object(
                Dictionary(uniqueKeysWithValues: members.map { ($0.key, harmless($0.value, named: $0.key)) }))
        default: return value
        }
    }
}

extension ContextLimits {
    fileprivate static func length(of field: String) -> Int {
        switch field {
        case "title", "subject", "from": title
        case "event_ref", "message_ref": reference
        case "labels": label
        case "current_query": query
        default: snippet
        }
    }

    fileprivate static func count(of field: String) -> Int {
        switch field {
        case "meetings", "meetings_today": meetings
        case "candidates", "urgent_email_candidates": mail
        case "labels": labels
        case "recent_turns": turns
        default: mail
        }
    }
}
