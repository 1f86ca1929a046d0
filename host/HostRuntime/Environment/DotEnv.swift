import Foundation

/// A `.env` file: `NAME=value` lines, `#` comments, optional `export`, single or double quotes.
///
/// Unquoted values are trimmed and end at ` #`; single quotes keep everything; double quotes know `\n`, `\"`, `\\`.
public enum DotEnv {
    /// Bytes, the most a `.env` file may hold.
    public static let maximumBytes = 256 * 1024

    /// The path of `.env` in `directory` or its nearest parent that has one.
    public static func nearest(to directory: String) -> String? {
        var folder = URL(fileURLWithPath: directory, isDirectory: true).standardizedFileURL
        for _ in 0..<64 {
            let path = folder.appendingPathComponent(".env", isDirectory: false).path
            var isDirectory: ObjCBool = false
            if unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue {
                return path
            }
            let parent = folder.deletingLastPathComponent().standardizedFileURL
            guard parent.path != folder.path else { return nil }
            folder = parent
        }
        return nil
    }

    /// The assignments of the file at `path`.
    public static func read(path: String) -> (values: [String: String], violations: [ConfigurationViolation]) {
        let data: Data
        do {
            guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileReadNoPermission) }
            // Nil is the end of a blank file.
            data = try file.read(upToCount: maximumBytes + 1) ?? Data()
        } catch {
            return ([:], [ConfigurationViolation(".env", "cannot be read")])
        }
        guard data.count <= maximumBytes, let text = String(validating: data, as: UTF8.self) else {
            return ([:], [ConfigurationViolation(".env", "must be UTF-8 text of at most 256 KiB")])
        }
        return parse(text)
    }

    /// The assignments of `text`; a violation names the line, never its content.
    public static func parse(_ text: String) -> (values: [String: String], violations: [ConfigurationViolation]) {
        var values: [String: String] = [:]
        var violations: [ConfigurationViolation] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = trimming(line)
            if content.isEmpty || content.hasPrefix("#") { continue }
            let place = ".env line \(index + 1)"
            guard let (name, value) = assignment(content) else {
                violations.append(ConfigurationViolation(place, "must be NAME=value, a comment or blank"))
                continue
            }
            if values.updateValue(value, forKey: name) != nil {
                violations.append(ConfigurationViolation(place, "sets \(name) a second time"))
            }
        }
        return (values, violations)
    }

    private static func assignment(_ line: Substring) -> (String, String)? {
        var rest = line
        if rest.hasPrefix("export ") { rest = trimming(rest.dropFirst(7)) }
        guard let equals = rest.firstIndex(of: "=") else { return nil }
        let name = trimming(rest[..<equals])
        guard let first = name.utf8.first, !(0x30...0x39).contains(first), name.utf8.count <= 128,
            isASCIIWord(name, also: "_")
        else { return nil }
        guard let value = value(trimming(rest[rest.index(after: equals)...])) else { return nil }
        return (String(name), value)
    }

    private static func value(_ text: Substring) -> String? {
        switch text.first {
        case "'":
            let body = text.dropFirst()
            guard let end = body.firstIndex(of: "'"), isEndOfLine(body[body.index(after: end)...]) else { return nil }
            return String(body[..<end])
        case "\"":
            return quoted(text.dropFirst())
        case "#":
            return ""
        default:
            return String(trimming(text[..<commentStart(in: text)]))
        }
    }

    private static func commentStart(in text: Substring) -> Substring.Index {
        var previous: Character?
        for index in text.indices {
            if text[index] == "#", previous?.isWhitespace == true { return index }
            previous = text[index]
        }
        return text.endIndex
    }

    private static func quoted(_ body: Substring) -> String? {
        var value = ""
        var index = body.startIndex
        while index < body.endIndex {
            let character = body[index]
            index = body.index(after: index)
            if character == "\"" { return isEndOfLine(body[index...]) ? value : nil }
            guard character == "\\" else {
                value.append(character)
                continue
            }
            guard index < body.endIndex else { return nil }
            switch body[index] {
            case "n": value.append("\n")
            case "\"", "\\": value.append(body[index])
            default: return nil
            }
            index = body.index(after: index)
        }
        return nil
    }

    private static func isEndOfLine(_ rest: Substring) -> Bool {
        let rest = trimming(rest)
        return rest.isEmpty || rest.hasPrefix("#")
    }
}
