import Foundation

/// Letters that look like others.
enum Confusables {
    /// The text in small Latin letters without accents, as an eye reads it: look-alikes of Cyrillic, Greek and small
    /// capitals in place of themselves, and digits within words as the letters they stand for.
    static func folded(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 && !(0x30...0x39).contains($0) }) { return text.lowercased() }
        var latin = String.UnicodeScalarView()
        for scalar in text.decomposedStringWithCanonicalMapping.unicodeScalars {
            if scalar.properties.generalCategory == .nonspacingMark { continue }
            latin.append(lookalikes[scalar] ?? scalar)
        }
        return withoutDigits(String(latin).lowercased())
    }

    /// `1gn0re` is read as `ignore`; numbers stay.
    private static func withoutDigits(_ text: String) -> String {
        guard text.utf8.contains(where: { (0x30...0x39).contains($0) }) else { return text }
        var out = ""
        for word in text.split(omittingEmptySubsequences: false, whereSeparator: \.isWhitespace) {
            if !out.isEmpty { out.append(" ") }
            out += word.contains(where: \.isLetter) ? String(word.map { digits[$0] ?? $0 }) : String(word)
        }
        return out
    }

    private static let digits: [Character: Character] = [
        "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s",
    ]

    private static let lookalikes: [Unicode.Scalar: Unicode.Scalar] = {
        let pairs = [
            // Cyrillic
            ("аАеЕоОрРсСхХуУкКмМтТвВнНіІїЇјЈѕЅһҺӏԁԛԝгпьЬ", "aAeEoOpPcCxXyYkKmMtTbBhHiIiIjJsShHldqwrnbB"),
            // Greek
            ("αΑΒεΕηΗιΙκΚΜνΝοΟρΡτΤυΥχΧΖωγ", "aABeEnHiIkKMvNoOpPtTuYxXZwy"),
            // Small capitals and letters of phonetic script
            ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢɡɑıɩ", "abcdefghijklmnoprstuvwyzgaii"),
        ]
        var found: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (others, latin) in pairs {
            for (other, letter) in zip(others.unicodeScalars, latin.unicodeScalars) { found[other] = letter }
        }
        return found
    }()
}
