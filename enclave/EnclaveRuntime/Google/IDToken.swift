internal import Sodium

/// The id token of a token answer; it came over TLS from the token endpoint itself, so its signature is not looked at
/// (OpenID Connect Core 1.0, section 3.1.3.7, point 6).
enum IDToken {
    /// SHA-256 of `iss|sub`, if the token is for `clientID`; nil otherwise or when malformed.
    static func accountHash(_ token: UnsafeRawBufferPointer, clientID: String) -> [UInt8]? {
        let dot = UInt8(ascii: ".")
        guard let first = unsafe token.firstIndex(of: dot), let last = unsafe token.lastIndex(of: dot), first < last,
            unsafe !token[(first + 1)..<last].contains(dot)
        else { return nil }
        var payload = SecretBuffer(capacity: max(1, token.count))
        guard unsafe decode(token.slice((first + 1)..<last), into: &payload) else { return nil }
        return unsafe payload.withUnsafeBytes { unsafe claims($0, clientID: clientID) }
    }

    private static func claims(_ bytes: UnsafeRawBufferPointer, clientID: String) -> [UInt8]? {
        var issuer, subject, audience: Range<Int>?
        var malformed = false
        let complete = unsafe JSONMembers.scan(bytes) { name, value in
            guard case .text(let range) = value, !range.isEmpty else {
                // `aud` may be a list elsewhere; Google's is one text, and nothing else is taken for it.
                malformed = unsafe malformed || bytes.holds("aud", at: name)
                return
            }
            func keep(_ field: inout Range<Int>?) {
                malformed = malformed || field != nil
                field = range
            }
            if unsafe bytes.holds("iss", at: name) { keep(&issuer) }
            if unsafe bytes.holds("sub", at: name) { keep(&subject) }
            if unsafe bytes.holds("aud", at: name) { keep(&audience) }
        }
        guard complete, !malformed, let issuer, let subject, let audience,
            unsafe bytes[audience].elementsEqual(clientID.utf8), unsafe !bytes[issuer].contains(UInt8(ascii: "|"))
        else { return nil }
        var hash = Sha256()
        unsafe hash.update(bytes.slice(issuer))
        hash.update([UInt8(ascii: "|")])
        unsafe hash.update(bytes.slice(subject))
        return hash.digest()
    }

    /// Base64url without padding, in place to locked memory.
    private static func decode(_ text: UnsafeRawBufferPointer, into output: inout SecretBuffer) -> Bool {
        var bits: UInt32 = 0
        var count = 0
        for index in text.indices {
            let value: UInt8
            switch unsafe text[index] {
            case let byte where (0x41...0x5A).contains(byte): value = byte - 0x41
            case let byte where (0x61...0x7A).contains(byte): value = byte - 0x61 + 26
            case let byte where (0x30...0x39).contains(byte): value = byte - 0x30 + 52
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return false
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return text.count % 4 != 1 && bits & ((1 << UInt32(count)) - 1) == 0
    }
}
