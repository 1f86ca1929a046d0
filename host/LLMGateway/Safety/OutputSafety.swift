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

/// Links, HTML and Markdown.
enum Markup {
    private static let schemes = ["http:", "https:", "mailto:", "javascript:", "data:", "tel:", "sms:", "file:"]
    private static let marks = ["://", "www.", "](", "][", "![", "]:"]

    static func isIn(_ text: String) -> Bool {
        // Without unseen characters and in one form, a scheme cannot be hidden.
        let plain = TextNormalization.stripped(text).lowercased()
        return marks.contains { plain.contains($0) } || schemes.contains { holds($0, plain) } || hasTag(plain)
            || plain.split(whereSeparator: \.isWhitespace).contains(where: isAddress)
    }

    /// What stands in place of a link.
    static let link = "[link]"

    /// The text with each link or tag replaced; as a whole where that is not enough.
    static func withoutLinks(_ text: String) -> String {
        guard isIn(text) else { return text }
        let words = text.split(whereSeparator: \.isWhitespace).map { isIn(String($0)) ? link : String($0) }
        let rest = words.joined(separator: " ")
        return isIn(rest) ? link : rest
    }

    /// A scheme at the beginning of a word, followed by something: `mailto:x`, and not `data: three files`.
    private static func holds(_ scheme: String, _ text: String) -> Bool {
        text.ranges(of: scheme).contains { range in
            let isWord = range.lowerBound == text.startIndex || !text[text.index(before: range.lowerBound)].isLetter
            return isWord && range.upperBound < text.endIndex && !text[range.upperBound].isWhitespace
        }
    }

    /// `<a`, `</a`, `<!--`, `<?`.
    private static func hasTag(_ text: String) -> Bool {
        zip(text, text.dropFirst()).contains { $0 == "<" && ($1.isASCII && $1.isLetter || "/!?".contains($1)) }
    }

    /// A host with a path: `evil.example/pay`.
    private static func isAddress(_ word: Substring) -> Bool {
        guard let slash = word.firstIndex(of: "/") else { return false }
        let labels = word[..<slash].split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count > 1, let last = labels.last, let first = labels.first else { return false }
        return last.count > 1 && last.allSatisfy(\.isLetter) && first.contains { $0.isLetter || $0.isNumber }
    }
}
