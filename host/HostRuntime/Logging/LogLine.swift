/// Turns names and values into one line.
enum LogLine {
    static func render(_ fields: [(name: String, value: LogField.Value)], as format: LogFormat) -> String {
        switch format {
        case .json:
            "{" + fields.map { "\(quoted($0.name)):\(json($0.value))" }.joined(separator: ",") + "}"
        case .text:
            fields.map { text($0.name, $0.value) }.joined(separator: " ")
        }
    }

    private static func json(_ value: LogField.Value) -> String {
        switch value {
        case .text(let text): quoted(text)
        case .integer(let number): String(number)
        case .decimal(let number): number.isFinite ? String(number) : "null"
        case .flag(let flag): flag ? "true" : "false"
        }
    }

    private static func text(_ name: String, _ value: LogField.Value) -> String {
        switch value {
        case .text(let text) where ["ts", "level", "process", "event"].contains(name): text
        case .text(let text): "\(name)=\(text.utf8.contains(0x20) ? quoted(text) : text)"
        default: "\(name)=\(json(value))"
        }
    }

    /// A JSON string; control characters, and those beyond ASCII, escaped.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: result += "\\\""
            case 0x5c: result += "\\\\"
            case 0x20...0x7e: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return result + "\""
    }
}
