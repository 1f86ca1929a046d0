internal import FoundationEssentials

/// The names of the members of every object in a JSON text: what a decoder cannot tell, which keeps one of two members of
/// the same name and passes over those that it does not know.
public struct JSONMembers: Sendable {
    private static let maximumDepth = 64

    /// One object.
    public struct Object: Equatable, Sendable {
        /// Names and indexes that lead to it, such as `Statement[0].Condition`; empty for the outermost.
        public let path: String
        /// In the order of the text.
        public let names: [String]
    }

    /// Every object, inner ones after the one that holds them.
    public private(set) var objects: [Object] = []

    private let text: [UInt8]
    private var next = 0

    /// Nil where `text` is not UTF-8 JSON, or has more than 64 levels.
    public init?(_ text: [UInt8]) {
        self.text = text
        guard value(at: "", depth: 0), skipSpace() == nil else { return nil }
        objects.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// The first name that an object has twice, in any case, after the path of that object.
    public var repeated: (path: String, name: String)? {
        for object in objects {
            var seen: Set<String> = []
            for name in object.names where !seen.insert(name.lowercased()).inserted { return (object.path, name) }
        }
        return nil
    }

    // MARK: Reading

    private mutating func skipSpace() -> UInt8? {
        while next < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[next]) { next += 1 }
        return next < text.count ? text[next] : nil
    }

    private mutating func take(_ character: Character) -> Bool {
        guard let byte = skipSpace(), byte == character.asciiValue else { return false }
        next += 1
        return true
    }

    private mutating func value(at path: String, depth: Int) -> Bool {
        guard depth < Self.maximumDepth, let first = skipSpace() else { return false }
        switch first {
        case UInt8(ascii: "{"): return object(at: path, depth: depth)
        case UInt8(ascii: "["): return array(at: path, depth: depth)
        case UInt8(ascii: "\""): return string() != nil
        default:
            let start = next
            while next < text.count, !Array(",]} \t\r\n".utf8).contains(text[next]) { next += 1 }
            return next > start
        }
    }

    private mutating func object(at path: String, depth: Int) -> Bool {
        var names: [String] = []
        guard take("{") else { return false }
        if !take("}") {
            repeat {
                guard skipSpace() == UInt8(ascii: "\""), let name = string(), take(":") else { return false }
                names.append(name)
                guard value(at: path.isEmpty ? name : "\(path).\(name)", depth: depth + 1) else { return false }
            } while take(",")
            guard take("}") else { return false }
        }
        objects.append(Object(path: path, names: names))
        return true
    }

    private mutating func array(at path: String, depth: Int) -> Bool {
        guard take("[") else { return false }
        if take("]") { return true }
        var index = 0
        repeat {
            guard value(at: "\(path)[\(index)]", depth: depth + 1) else { return false }
            index += 1
        } while take(",")
        return take("]")
    }

    /// A string, with its escapes resolved.
    private mutating func string() -> String? {
        let start = next
        next += 1
        while next < text.count, text[next] != UInt8(ascii: "\"") {
            next += text[next] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard next < text.count else { return nil }
        next += 1
        return try? JSONDecoder().decode(String.self, from: Data(text[start..<next]))
    }
}
