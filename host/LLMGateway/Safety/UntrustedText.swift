/// Where a text from outside comes from.
public enum TextSource: String, Sendable, CaseIterable {
    case calendar, mail, user

    /// The fields of a context that hold its text.
    var fields: [String] {
        switch self {
        case .calendar: ["event_ref", "title"]
        case .mail: ["from", "labels", "message_ref", "snippet", "subject"]
        case .user: ["current_query", "session_memory"]
        }
    }
}

/// A text that somebody else wrote; it can only be read as a line that was made harmless.
public struct UntrustedText: Sendable, Hashable {
    public let source: TextSource
    private let text: String

    public init(_ text: String, from source: TextSource) {
        self.text = text
        self.source = source
    }

    /// Normalised, cut, and replaced as a whole when it is instruction-like; `blank` when nothing is left.
    public func line(limit: Int, blank: String = "") -> String {
        let line = TextNormalization.line(text, limit: limit, blank: blank)
        // Line breaks, which the line no longer has, begin sentences too.
        let broken = TextNormalization.stripped(text).prefix(limit)
        return InputSafety.isInstructionLike(line) || InputSafety.isInstructionLike(String(broken))
            ? InputSafety.replacement : line
    }
}
