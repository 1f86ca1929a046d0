/// What an answer of the right shape must not be.
public enum OutputSafety {
    /// In Unicode scalars.
    static let maximumTitle = 120
    static let maximumText = 500
    static let maximumItems = 8

    /// The rules that an output breaks, by path.
    public static func violations(of output: CapabilityOutput) -> [String] {
        guard case .object(let fields) = output.json["output"] else { return [] }
        var found: [String] = []
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            let path = "$.output.\(name)"
            switch value {
            case .string(let text):
                let isTitle = name == "title" || name == "headline"
                found += violations(of: text, limit: isTitle ? maximumTitle : maximumText, at: path)
                if isTitle || name == "summary", text.isEmpty { found.append("\(path): blank") }
            case .array(let items):
                if items.count > maximumItems { found.append("\(path): more than \(maximumItems) items") }
                for (index, item) in items.prefix(maximumItems).enumerated() {
                    found += violations(of: item.string ?? "", limit: maximumText, at: "\(path)[\(index)]")
                }
            default: break
            }
        }
        if case .mail(let verdict) = output, verdict.shouldNotify { found += violations(ofAlert: verdict) }
        return found
    }

    private static func violations(ofAlert verdict: MailVerdict) -> [String] {
        var found: [String] = []
        if verdict.urgency < .high { found.append("$.output.urgency: must be high or critical to notify") }
        if verdict.reason.isEmpty { found.append("$.output.reason: blank") }
        if verdict.actions.allSatisfy(\.isEmpty) { found.append("$.output.suggested_actions: none") }
        return found
    }

    private static func violations(of text: String, limit: Int, at path: String) -> [String] {
        var found: [String] = []
        if text.unicodeScalars.count > limit { found.append("\(path): longer than \(limit) characters") }
        if Markup.isIn(text) { found.append("\(path): holds a link or markup") }
        if InputSafety.isInstructionLike(text) { found.append("\(path): instruction-like text") }
        return found
    }
}

extension MailVerdict.Urgency: Comparable {
    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .low: 0
        case .medium: 1
        case .high: 2
        case .critical: 3
        }
    }
}
