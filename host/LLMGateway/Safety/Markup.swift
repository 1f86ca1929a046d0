/// Links, HTML and Markdown.
public enum Markup {
    private static let marks = ["://", "www.", "](", "][", "![", "]:"]

    static func isIn(_ text: String) -> Bool {
        // Without unseen characters and in one form, a scheme cannot be hidden.
        let plain = TextNormalization.stripped(text).lowercased().replacing("\u{3002}", with: ".")
        return marks.contains { plain.contains($0) } || hasTag(plain) || LinkFinder.findsScheme(in: plain)
            || LinkFinder.findsHost(in: plain)
    }

    /// What stands in place of a link.
    static let link = "[link]"

    /// The text with each link or tag replaced; as a whole where that is not enough.
    public static func withoutLinks(_ text: String) -> String {
        guard isIn(text) else { return text }
        let words = text.split(whereSeparator: \.isWhitespace).map { isIn(String($0)) ? link : String($0) }
        let rest = words.joined(separator: " ")
        return isIn(rest) ? link : rest
    }

    /// `<a`, `</a`, `<!--`, `<?`.
    private static func hasTag(_ text: String) -> Bool {
        zip(text, text.dropFirst()).contains { $0 == "<" && ($1.isASCII && $1.isLetter || "/!?".contains($1)) }
    }
}
