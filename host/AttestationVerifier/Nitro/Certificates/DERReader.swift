/// Not the one DER encoding (X.690 section 10) of what was expected.
struct DERError: Error, Equatable {
    /// What is wrong, for people.
    let what: String
}

/// Reads DER strictly: one-byte tags, definite and shortest lengths, nothing left over.
struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    /// Tag of the next element.
    var nextTag: UInt8? { rest.first }

    /// Content of the next element, which must have `tag`.
    mutating func content(_ tag: UInt8, _ what: String) throws(DERError) -> ArraySlice<UInt8> {
        try element(tag, what).content
    }

    /// A reader inside the next element, which must have `tag`.
    mutating func inside(_ tag: UInt8, _ what: String) throws(DERError) -> DERReader {
        DERReader(try content(tag, what))
    }

    /// The next element with and without its head.
    mutating func element(
        _ tag: UInt8, _ what: String
    ) throws(DERError) -> (whole: ArraySlice<UInt8>, content: ArraySlice<UInt8>) {
        guard rest.first == tag else { throw DERError(what: "\(what): another tag, or nothing") }
        guard let length = Self.length(rest.dropFirst()), rest.count - 1 - length.headBytes >= length.value else {
            throw DERError(what: "\(what): length not definite, shortest and within the certificate")
        }
        let whole = rest.prefix(1 + length.headBytes + length.value)
        rest = rest.dropFirst(whole.count)
        return (whole, whole.dropFirst(1 + length.headBytes))
    }

    /// Ends reading; refuses what is left.
    func finish(_ what: String) throws(DERError) {
        guard rest.isEmpty else { throw DERError(what: "\(what): \(rest.count) bytes too many") }
    }

    /// INTEGER that is not negative, without leading zeros.
    mutating func unsigned(_ what: String, atMost limit: Int) throws(DERError) -> ArraySlice<UInt8> {
        let content = try content(0x02, what)
        guard let first = content.first, first < 0x80, content.count <= limit,
            first != 0 || content.count == 1 || content.dropFirst().first.map({ $0 >= 0x80 }) == true
        else { throw DERError(what: "\(what): not a shortest, unsigned integer of at most \(limit) bytes") }
        return content
    }

    /// BOOLEAN that is TRUE: a default of FALSE is left out in DER.
    mutating func trueOrAbsent(_ what: String) throws(DERError) -> Bool {
        guard nextTag == 0x01 else { return false }
        guard try content(0x01, what).elementsEqual([0xFF]) else { throw DERError(what: "\(what): BOOLEAN not FF") }
        return true
    }

    /// BIT STRING of whole bytes.
    mutating func wholeBits(_ what: String) throws(DERError) -> ArraySlice<UInt8> {
        let content = try content(0x03, what)
        guard content.first == 0 else { throw DERError(what: "\(what): unused bits") }
        return content.dropFirst()
    }

    /// Up to two length bytes after the first: a certificate has no more than 1024 bytes.
    private static func length(_ bytes: ArraySlice<UInt8>) -> (value: Int, headBytes: Int)? {
        let bytes = Array(bytes.prefix(3))
        guard let first = bytes.first else { return nil }
        switch first {
        case ..<0x80: return (Int(first), 1)
        case 0x81 where bytes.count >= 2 && bytes[1] >= 0x80: return (Int(bytes[1]), 2)
        case 0x82 where bytes.count == 3 && bytes[1] > 0: return (Int(bytes[1]) << 8 | Int(bytes[2]), 3)
        default: return nil
        }
    }
}
