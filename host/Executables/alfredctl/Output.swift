import Foundation

/// Text and JSON on standard output, complaints on standard error.
enum Output {
    static func line(_ text: String) { write(text + "\n", to: .standardOutput) }

    static func complain(_ text: String) { write(text + "\n", to: .standardError) }

    /// Prints one JSON object.
    static func json(_ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return complain("the result cannot be written as JSON") }
        line(String(decoding: data, as: UTF8.self))
    }

    /// Goes to the beginning of the terminal's line and writes over it.
    static func overwrite(_ text: String) { write("\r" + text, to: .standardError) }

    private static func write(_ text: String, to handle: FileHandle) { try? handle.write(contentsOf: Data(text.utf8)) }
}
