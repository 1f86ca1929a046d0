import Foundation

/// The hex vectors and the tables of `shared-proto/WIRE.md`.
enum WireDocument {
    static let text: String = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../shared-proto/WIRE.md").standardized
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }()

    /// All vectors by name.
    static let vectors: [String: [UInt8]] = {
        var result: [String: [UInt8]] = [:]
        var name: String?
        var hex = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```vector ") {
                name = String(line.dropFirst("```vector ".count))
                hex = ""
            } else if line == "```", let current = name {
                result[current] = bytes(hex: hex)
                name = nil
            } else if name != nil {
                hex += line
            }
        }
        return result
    }()

    /// Inputs that every receiver refuses: what, and its bytes.
    static let refused: [(what: String, input: [UInt8])] = rows(after: "| What | Hex |").compactMap { cells in
        guard cells.count == 2 else { return nil }
        let hex = cells[1].trimmingCharacters(in: CharacterSet(charactersIn: "`"))
        guard let input = hex == "(empty)" ? [] : bytes(hex: hex) else { return nil }
        return (cells[0], input)
    }

    /// The cells of the table whose head begins with `head`.
    static func rows(after head: String) -> [[String]] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let start = lines.firstIndex(where: { $0.hasPrefix(head) }) else { return [] }
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    static func bytes(hex: String) -> [UInt8]? {
        guard hex.count.isMultiple(of: 2) else { return nil }
        var result: [UInt8] = []
        var rest = Substring(hex)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            result.append(byte)
            rest = rest.dropFirst(2)
        }
        return result
    }
}
