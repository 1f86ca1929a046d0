/// Why bytes are not the JSON that the API takes.
struct InvalidJSON: Error {}

/// A strict RFC 8259 reader.
///
/// Foundation's decoder accepts doubled names and any depth, so it cannot stand at the edge. Here doubled names, invalid
/// UTF-8, lone surrogates, trailing bytes and depth beyond `maximumDepth` are refused.
struct JSONReader {
    static let maximumDepth = 16

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func read(_ bytes: [UInt8]) throws(InvalidJSON) -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw InvalidJSON() }
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 1)
        reader.skipSpace()
        guard reader.position == bytes.count else { throw InvalidJSON() }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: Unicode.Scalar) throws(InvalidJSON) {
        guard current == UInt8(ascii: byte) else { throw InvalidJSON() }
        position += 1
    }

    private mutating func takes(_ byte: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(InvalidJSON) -> JSONValue {
        for scalar in "\(text)".unicodeScalars { try take(scalar) }
        return value
    }

    private mutating func value(depth: Int) throws(InvalidJSON) -> JSONValue {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(InvalidJSON) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw InvalidJSON() }
        try take("{")
        var members: [JSONValue.Member] = []
        var names: Set<[UInt8]> = []
        skipSpace()
        if takes("}") { return .members([]) }
        repeat {
            skipSpace()
            let name = try string()
            // Compared by bytes: canonically equivalent names are different names.
            guard names.insert(Array(name.utf8)).inserted else { throw InvalidJSON() }
            skipSpace()
            try take(":")
            members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
            skipSpace()
        } while takes(",")
        try take("}")
        return .members(members)
    }

    private mutating func array(depth: Int) throws(InvalidJSON) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw InvalidJSON() }
        try take("[")
        var items: [JSONValue] = []
        skipSpace()
        if takes("]") { return .array([]) }
        repeat {
            items.append(try value(depth: depth + 1))
            skipSpace()
        } while takes(",")
        try take("]")
        return .array(items)
    }

    private mutating func digits() throws(InvalidJSON) {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw InvalidJSON() }
    }

    private mutating func number() throws(InvalidJSON) -> JSONValue {
        let start = position
        _ = takes("-")
        if !takes("0") { try digits() }
        if takes(".") { try digits() }
        if takes("e") || takes("E") {
            if !takes("+") { _ = takes("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let whole = Int(text) { return .integer(whole) }
        guard let number = Double(text), number.isFinite else { throw InvalidJSON() }
        return Int(exactly: number).map(JSONValue.integer) ?? .decimal(number)
    }

    private mutating func string() throws(InvalidJSON) -> String {
        try take("\"")
        var text: [UInt8] = []
        var start = position
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                let rest = bytes[start..<position - 1]
                return text.isEmpty
                    ? String(decoding: rest, as: UTF8.self) : String(decoding: text + rest, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += bytes[start..<position - 1]
                text += String(try escaped()).utf8
                start = position
            case 0..<0x20: throw InvalidJSON()
            default: break
            }
        }
        throw InvalidJSON()
    }

    private mutating func escaped() throws(InvalidJSON) -> Unicode.Scalar {
        guard let byte = current else { throw InvalidJSON() }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try fourHexDigits()
            guard (0xD800...0xDBFF).contains(unit) else {
                guard let scalar = Unicode.Scalar(unit) else { throw InvalidJSON() }
                return scalar
            }
            try take("\\")
            try take("u")
            let low = try fourHexDigits()
            guard (0xDC00...0xDFFF).contains(low),
                let scalar = Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
            else { throw InvalidJSON() }
            return scalar
        default: throw InvalidJSON()
        }
    }

    private mutating func fourHexDigits() throws(InvalidJSON) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw InvalidJSON()
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
