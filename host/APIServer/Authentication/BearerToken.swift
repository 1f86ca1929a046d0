import FoundationEssentials

/// A bearer token in its outer form; nothing in it has been verified.
struct BearerToken: Sendable {
    static let maximumBytes = 8192

    let text: String
    /// Header `kid`: chooses the key, proves nothing.
    let keyID: String

    private struct Header: Decodable {
        let alg: String?
        let kid: String?
        let hasCritical: Bool

        enum Names: String, CodingKey { case alg, kid, crit }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Names.self)
            alg = try container.decodeIfPresent(String.self, forKey: .alg)
            kid = try container.decodeIfPresent(String.self, forKey: .kid)
            hasCritical = container.contains(.crit)
        }
    }

    /// Reads the value of `Authorization`.
    init(authorization: String?) throws(AuthFailure) {
        guard let authorization else { throw .missingToken }
        let parts = authorization.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw .missingToken }
        let token = String(parts[1]).trimmedOfWhiteSpace
        guard !token.isEmpty else { throw .missingToken }
        guard token.utf8.count <= Self.maximumBytes else { throw .malformedToken }
        let segments = token.split(separator: ".", omittingEmptySubsequences: false)
        guard segments.count == 3, segments.allSatisfy({ Base64URL.isUnpadded($0) }),
            let header = Base64URL.decode(segments[0]),
            let fields = try? JSONDecoder().decode(Header.self, from: header)
        else { throw .malformedToken }
        guard fields.alg == "RS256", !fields.hasCritical else { throw .wrongAlgorithm }
        guard let kid = fields.kid, (1...128).contains(kid.unicodeScalars.count) else { throw .malformedToken }
        text = token
        keyID = kid
    }
}

/// base64url without padding (RFC 4648 §5).
enum Base64URL {
    static func isUnpadded(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count % 4 != 1
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    static func decode(_ text: Substring) -> Data? {
        guard isUnpadded(text) else { return nil }
        var standard = text.replacing("-", with: "+").replacing("_", with: "/")
        standard += String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        return Data(base64Encoded: String(standard))
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
