internal import EnclaveProtocol

/// Requests and answers of the secure module: CBOR, a bare text where a variant has no fields, else a map of one entry.
enum NSMMessages {
    /// Most bytes of user data and of nonce that every version of the module signs.
    static let maximumFieldBytes = 512
    static let maximumKeyBytes = 1024
    static let maximumRandomBytes = 256

    static func attestation(
        userData: [UInt8]?, nonce: [UInt8]?, publicKey: [UInt8]?
    ) throws(SecureModuleError) -> [UInt8] {
        guard userData?.count ?? 0 <= maximumFieldBytes, nonce?.count ?? 0 <= maximumFieldBytes,
            publicKey?.count ?? 0 <= maximumKeyBytes
        else { throw .tooLarge }
        var writer = CBORWriter(capacity: 256)
        writer.map(1)
        writer.text("Attestation")
        writer.map(3)
        for (name, value) in [("nonce", nonce), ("user_data", userData), ("public_key", publicKey)] {
            writer.text(name)
            writer.optionalBytes(value)
        }
        return writer.bytes
    }

    static func getRandom() -> [UInt8] {
        var writer = CBORWriter(capacity: 16)
        writer.text("GetRandom")
        return writer.bytes
    }

    /// The one byte string `field` of the answer `variant`; an error of the module, and anything else, is thrown.
    static func answer(
        _ bytes: [UInt8], _ variant: String, _ field: String, atMost limit: Int
    ) throws(SecureModuleError) -> [UInt8] {
        var reader = CBORReader(anyEncoding: bytes)
        let isError: Bool
        var value: [UInt8] = []
        do throws(CBORError) {
            guard try reader.map(atMost: 1) == 1 else { throw .unexpectedType }
            let name = try reader.text(atMost: 32)
            isError = name == "Error"
            if isError {
                _ = try reader.text(atMost: 32)
            } else {
                guard name == variant, try reader.map(atMost: 1) == 1, try reader.text(atMost: 32) == field else {
                    throw .unexpectedType
                }
                value = try reader.bytes(atMost: limit)
                reader.end()
            }
            reader.end()
            try reader.finish()
        } catch {
            throw .malformed
        }
        if isError { throw .refused }
        guard !value.isEmpty else { throw .malformed }
        return value
    }
}

/// What this enclave's own module signed, as far as the enclave reads it; nobody else's document is ever read here.
struct OwnDocument {
    private(set) var timestampMilliseconds: UInt64 = 0
    private(set) var registers: [UInt64: [UInt8]] = [:]
    private(set) var userData: [UInt8]?
    private(set) var nonce: [UInt8]?
    private(set) var publicKey: [UInt8]?

    /// Reads `COSE_Sign1`, whose payload newer modules encode with indefinite lengths; the signature is not checked.
    init(_ document: [UInt8]) throws(SecureModuleError) {
        do throws(CBORError) {
            var outer = CBORReader(anyEncoding: document)
            try outer.array(exactly: 4)
            _ = try outer.bytes(atMost: 64)
            try outer.skip()
            let payload = try outer.bytes(atMost: Limits.maximumNSMDocumentBytes)
            _ = try outer.bytes(exactly: 96)
            outer.end()
            try outer.finish()
            var reader = CBORReader(anyEncoding: payload)
            for _ in 0..<(try reader.map(atMost: 16)) { try readField(&reader) }
            reader.end()
            try reader.finish()
        } catch {
            throw .malformed
        }
    }

    private mutating func readField(_ reader: inout CBORReader) throws(CBORError) {
        switch try reader.text(atMost: 32) {
        case "timestamp": timestampMilliseconds = try reader.unsigned()
        case "pcrs":
            for _ in 0..<(try reader.map(atMost: 32)) {
                registers[try reader.unsigned(in: 0...31)] = try reader.bytes(exactly: 48)
            }
            reader.end()
        case "user_data": userData = try reader.optionalBytes(atMost: 1024)
        case "nonce": nonce = try reader.optionalBytes(atMost: 1024)
        case "public_key": publicKey = try reader.optionalBytes(atMost: 1024)
        default: try reader.skip()
        }
    }
}
