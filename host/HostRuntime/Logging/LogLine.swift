/// Turns names and values into one line of UTF-8.
enum LogLine {
    /// The line, without its end.
    static func render(_ fields: [(name: String, value: LogField.Value)], as format: LogFormat) -> [UInt8] {
        var line: [UInt8] = []
        // Lines of requests have about 300 bytes.
        line.reserveCapacity(384)
        switch format {
        case .json:
            line.append(UInt8(ascii: "{"))
            for (index, field) in fields.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                appendQuoted(field.name, to: &line)
                line.append(UInt8(ascii: ":"))
                append(field.value, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        case .text:
            for (index, field) in fields.enumerated() {
                if index > 0 { line.append(UInt8(ascii: " ")) }
                appendText(field.name, field.value, to: &line)
            }
        }
        return line
    }

    private static func append(_ value: LogField.Value, to line: inout [UInt8]) {
        switch value {
        case .text(let text): appendQuoted(text, to: &line)
        case .integer(let number): line += String(number).utf8
        case .decimal(let number): line += (number.isFinite ? String(number) : "null").utf8
        case .flag(let flag): line += (flag ? "true" : "false").utf8
        }
    }

    private static func appendText(_ name: String, _ value: LogField.Value, to line: inout [UInt8]) {
        guard case .text(let text) = value else {
            line += "\(name)=".utf8
            return append(value, to: &line)
        }
        if ["ts", "level", "process", "event"].contains(name) { return line += text.utf8 }
        line += "\(name)=".utf8
        if text.utf8.contains(0x20) { appendQuoted(text, to: &line) } else { line += text.utf8 }
    }

    /// A JSON string; control characters, and those beyond ASCII, escaped.
    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy({ (0x20...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c }) {
            line += text.utf8
        } else {
            for unit in text.utf16 { appendEscaped(unit, to: &line) }
        }
        line.append(UInt8(ascii: "\""))
    }

    private static func appendEscaped(_ unit: UInt16, to line: inout [UInt8]) {
        switch unit {
        case 0x22, 0x5c: line += [0x5c, UInt8(unit)]
        case 0x20...0x7e: line.append(UInt8(unit))
        default:
            let digits = String(unit, radix: 16)
            line += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
        }
    }
}
