import Foundation

/// Text from outside in one form.
public enum TextNormalization {
    /// One line: compatibility-normalised (NFKC), without control, zero-width and bidirectional characters, white space
    /// collapsed, at most `limit` Unicode scalars and never half a character; `blank` when nothing is left.
    public static func line(_ text: String, limit: Int, blank: String = "") -> String {
        let line = cut(collapsed(stripped(text)), to: limit)
        return line.isEmpty ? blank : line
    }

    /// The text as it is written, on one line and without characters that nobody sees; joiners of scripts and emoji stay.
    public static func visible(_ text: String) -> String {
        if isPlain(text) { return collapsed(text) }
        return collapsed(String(String.UnicodeScalarView(text.unicodeScalars.filter { keeps($0) || shapes($0) })))
    }

    /// Normalised and without unseen characters; line breaks and white space stay as they are.
    static func stripped(_ text: String) -> String {
        if isPlain(text) { return text }
        let scalars = text.precomposedStringWithCompatibilityMapping.unicodeScalars
        return String(String.UnicodeScalarView(scalars.filter(keeps)))
    }

    static func collapsed(_ text: String) -> String {
        text.split { $0.isWhitespace }.joined(separator: " ")
    }

    private static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var left = limit
        let kept = text.prefix { character in
            left -= character.unicodeScalars.count
            return left >= 0
        }
        return String(kept)
    }

    /// Only printable ASCII.
    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20..<0x7f).contains($0) } }

    private static func keeps(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isWhitespace { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .privateUse, .surrogate, .unassigned: return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// Joins letters or emoji, or chooses how an emoji looks.
    private static func shapes(_ scalar: Unicode.Scalar) -> Bool {
        ["\u{200c}", "\u{200d}", "\u{fe0e}", "\u{fe0f}"].contains(scalar)
    }
}
