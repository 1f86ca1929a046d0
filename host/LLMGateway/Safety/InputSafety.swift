/// Takes text that speaks to the model out of what is shown to it.
public enum InputSafety {
    /// What stands in place of such text.
    public static let replacement = "[removed: instruction-like text]"

    /// The value with every instruction-like text, at any depth, replaced as a whole.
    public static func sanitised(_ value: JSONValue) -> JSONValue { value.mapStrings(sanitised) }

    public static func sanitised(_ text: String) -> String { isInstructionLike(text) ? replacement : text }

    /// Whether a text gives orders to a model; judged on whole words, whatever their case and however they are hidden.
    public static func isInstructionLike(_ text: String) -> Bool {
        let words = Words(TextNormalization.stripped(text).lowercased())
        return rules.contains { rule in rule.allSatisfy { $0.contains(where: words.contain) } }
            || words.beginsSentence(["act", "as"])
    }

    /// Each rule: one phrase of every group.
    private static let rules: [[[Phrase]]] = [
        [
            phrases("ignore", "disregard", "override"),
            phrases("instruction", "instructions", "system prompt", "developer message"),
        ],
        [phrases("you are now", "you are chatgpt")],
        [phrases("api key", "password", "secret", "token"), phrases("reveal", "exfiltrate", "send me", "dump")],
        [phrases("function call", "tool call", "print the prompt", "return raw json")],
    ]

    private typealias Phrase = [Substring]

    private static func phrases(_ texts: String...) -> [Phrase] { texts.map { $0.split(separator: " ") } }

    /// The words of a text, and which of them begin a sentence.
    private struct Words {
        private var words: [Substring] = []
        private var known: Set<Substring> = []
        private var places: [Int] = []

        init(_ text: String) {
            var rest = text[...]
            var startsSentence = true
            while let start = rest.firstIndex(where: Self.isPart) {
                startsSentence = startsSentence || rest[..<start].contains(where: Self.endsSentence)
                let end = rest[start...].firstIndex { !Self.isPart($0) } ?? rest.endIndex
                if startsSentence { places.append(words.count) }
                words.append(rest[start..<end])
                known.insert(rest[start..<end])
                rest = rest[end...]
                startsSentence = false
            }
        }

        func contain(_ phrase: Phrase) -> Bool {
            guard let head = phrase.first, known.contains(head) else { return false }
            return words.indices.contains { words[$0...].starts(with: phrase) }
        }

        func beginsSentence(_ phrase: Phrase) -> Bool { places.contains { words[$0...].starts(with: phrase) } }

        private static func isPart(_ character: Character) -> Bool { character.isLetter || character.isNumber }

        /// Anything but what stands within a sentence.
        private static func endsSentence(_ character: Character) -> Bool {
            character.isNewline || !(character.isWhitespace || ",'’-/&".contains(character))
        }
    }
}
