import Foundation

/// Takes text that speaks to the model out of what is shown to it.
///
/// It knows published kinds of injection in four languages, and can be got round by words that it does not know: it
/// makes attacks rarer. What holds is ``OutputSafety`` and that nothing but text is ever made of an answer.
public enum InputSafety {
    /// What stands in place of such text.
    public static let replacement = "[removed: instruction-like text]"
    /// Shortest and longest run of characters that is read as Base64, and how many of them are.
    private static let encoded = (least: 24, most: 4096, count: 8)

    /// The value with every instruction-like text, at any depth, replaced as a whole.
    public static func sanitised(_ value: JSONValue) -> JSONValue { value.mapStrings(sanitised) }

    public static func sanitised(_ text: String) -> String { isInstructionLike(text) ? replacement : text }

    /// Whether a text gives orders to a model; judged on whole words, whatever their case and however they are hidden:
    /// by unseen characters, letters of other scripts, digits for letters, spaces between letters, or Base64.
    public static func isInstructionLike(_ text: String) -> Bool {
        let plain = TextNormalization.stripped(text)
        return breaksRules(plain) || decoded(plain).contains(where: breaksRules)
    }

    private static func breaksRules(_ text: String) -> Bool {
        let plain = text.lowercased()
        if InjectionRules.holdsMark(plain) || InjectionRules.match(Words(plain)) { return true }
        let folded = Confusables.folded(text)
        return folded != plain && InjectionRules.match(Words(folded))
    }

    /// Texts that are in the text as Base64.
    private static func decoded(_ text: String) -> [String] {
        guard text.utf8.count >= encoded.least else { return [] }
        let runs = text.utf8.split { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2f, 0x2d, 0x5f: false
            default: true
            }
        }
        return runs.filter { (encoded.least...encoded.most).contains($0.count) }.prefix(encoded.count).compactMap {
            run in
            var base64 = String(decoding: run, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
            base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
            return Data(base64Encoded: base64).flatMap { String(data: $0, encoding: .utf8) }.map(
                TextNormalization.stripped)
        }
    }
}

/// The words of a text, and which of them begin a sentence.
struct Words {
    /// Fewest letters that stand alone, one after the other, to be read as words spelled out.
    private static let leastSpelled = 6

    private var words: [Substring] = []
    private var known: Set<Substring> = []
    private var places: [Int] = []
    /// Letters that stand alone, joined; empty without such a row.
    private(set) var spelled = ""

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
        let rows = words.split { $0.count > 1 }.filter { $0.count >= Self.leastSpelled }
        spelled = rows.map { $0.joined() }.joined(separator: " ")
    }

    func holdsAny(of heads: Set<Substring>) -> Bool { words.contains(where: heads.contains) }

    func contain(_ phrase: [Substring]) -> Bool {
        guard let head = phrase.first, known.contains(head) else { return false }
        return words.indices.contains { words[$0...].starts(with: phrase) }
    }

    func beginsSentence(_ phrase: [Substring]) -> Bool {
        places.contains { words[$0...].starts(with: phrase) }
    }

    private static func isPart(_ character: Character) -> Bool { character.isLetter || character.isNumber }

    /// Anything but what stands within a sentence.
    private static func endsSentence(_ character: Character) -> Bool {
        character.isNewline || !(character.isWhitespace || ",'’-/&".contains(character))
    }
}
