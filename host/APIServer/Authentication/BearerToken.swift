/// A bearer token in its outer form; nothing in it has been verified.
struct BearerToken: Sendable {
    static let maximumBytes = 8192

    /// Header `kid`: chooses the key, proves nothing.
    let keyID: String
    /// Header and payload as they were signed.
    let signedBytes: ArraySlice<UInt8>
    let signature: [UInt8]
    /// JSON, as long as the signature holds.
    let payload: [UInt8]

    /// The token in the value of `Authorization`, of at most `maximumBytes`.
    static func text(authorization: String?) throws(AuthFailure) -> String {
        guard let authorization else { throw .missingToken }
        let value = authorization.utf8.drop { $0 == UInt8(ascii: " ") }
        let scheme = value.prefix { $0 != UInt8(ascii: " ") }
        guard scheme.count == 6, scheme.elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 }) else {
            throw .missingToken
        }
        let token = String(Substring(value.dropFirst(scheme.count))).trimmedOfWhiteSpace
        guard !token.isEmpty else { throw .missingToken }
        guard token.utf8.count <= maximumBytes else { throw .malformedToken }
        return token
    }

    /// Reads the value of `Authorization`.
    init(authorization: String?) throws(AuthFailure) {
        try self.init(text: Self.text(authorization: authorization))
    }

    /// Reads a token in compact form.
    init(text: String) throws(AuthFailure) {
        let bytes = Array(text.utf8)
        let segments = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard segments.count == 3, segments.allSatisfy({ !$0.isEmpty }), let header = Base64URL.decode(segments[0]),
            let payload = Base64URL.decode(segments[1]), let signature = Base64URL.decode(segments[2]),
            case .members(let fields) = try? JSONReader.read(header)
        else { throw .malformedToken }
        func value(_ name: String) -> JSONValue? { fields.first { $0.name == name }?.value }
        guard value("alg") == .string("RS256"), value("crit") == nil else { throw .wrongAlgorithm }
        guard case .string(let kid) = value("kid"), (1...128).contains(kid.unicodeScalars.count) else {
            throw .malformedToken
        }
        keyID = kid
        signedBytes = bytes[..<segments[1].endIndex]
        self.payload = payload
        self.signature = signature
    }
}

/// base64url without padding (RFC 4648 §5), of exactly one form: bits that stand for nothing are zero.
enum Base64URL {
    /// By byte: the six bits a letter stands for, or 255.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
        for (value, letter) in letters.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    /// Nil for another letter, padding, an impossible length, or bits left over.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        let values = Self.values
        var result: [UInt8] = []
        result.reserveCapacity(text.count * 3 / 4)
        var (bits, pending) = (UInt32(0), 0)
        for letter in text {
            let value = values[Int(letter)]
            guard value < 64 else { return nil }
            bits = bits << 6 | UInt32(value)
            pending += 6
            guard pending >= 8 else { continue }
            pending -= 8
            result.append(UInt8(truncatingIfNeeded: bits >> UInt32(pending)))
        }
        return bits & (1 << UInt32(pending) - 1) == 0 ? result : nil
    }
}

extension String {
    /// Without Unicode white space at both ends.
    var trimmedOfWhiteSpace: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }
}
