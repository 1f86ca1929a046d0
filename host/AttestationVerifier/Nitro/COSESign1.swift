internal import EnclaveProtocol
internal import Sodium

/// The envelope of a document: `[protected, unprotected, payload, signature]`, RFC 9052 section 4.2.
struct COSESign1 {
    /// Encoding of `{1: -35}`: the algorithm is ES384 and nothing else is said.
    static let protectedHeader: [UInt8] = [0xA1, 0x01, 0x38, 0x22]
    /// Tag 18 in its one-byte form, which genuine documents leave out.
    private static let tag: UInt8 = 0xD2
    private static let maximumPayloadBytes = 16 * 1024

    /// The signed bytes, as they came.
    let payload: [UInt8]
    /// `r ‖ s`, 96 bytes, both in range.
    let signature: [UInt8]

    init(parsing bytes: [UInt8]) throws(NitroRefusal) {
        guard bytes.count <= NitroDocument.maximumBytes else {
            throw NitroRefusal(
                .tooLarge, at: "document", expected: "at most \(NitroDocument.maximumBytes) bytes",
                found: "\(bytes.count) bytes")
        }
        var reader = NitroReader(bytes.first == Self.tag ? Array(bytes.dropFirst()) : bytes, fault: .notCOSESign1)
        try reader.read("document", "a CBOR array of 4, untagged or with tag 18") { cbor throws(CBORError) in
            guard try cbor.array(atMost: 4) == 4 else { throw .outOfRange }
        }
        let header = try reader.read("protected header", "a byte string") { cbor throws(CBORError) in
            try cbor.bytes(atMost: 64)
        }
        guard header == Self.protectedHeader else {
            throw NitroRefusal(
                .protectedHeader, at: "protected header", expected: "\(Hex.encode(Self.protectedHeader)), ES384 only",
                found: Hex.encode(header))
        }
        let unsigned = try reader.read("unprotected header", "a map") { cbor throws(CBORError) in
            let count = try cbor.map(atMost: Limits.maximumElements)
            if count == 0 { cbor.end() }
            return count
        }
        guard unsigned == 0 else {
            throw NitroRefusal(
                .unprotectedHeader, at: "unprotected header", expected: "nothing, for it is not signed",
                found: "\(unsigned) entries")
        }
        payload = try reader.read("payload", "a byte string of 1 to 16384 bytes") { cbor throws(CBORError) in
            let payload = try cbor.bytes(atMost: Self.maximumPayloadBytes)
            guard !payload.isEmpty else { throw .outOfRange }
            return payload
        }
        signature = try reader.read("signature", "a byte string") { cbor throws(CBORError) in try cbor.bytes() }
        try reader.read("document", "nothing after the signature") { cbor throws(CBORError) in
            cbor.end()
            try cbor.finish()
        }
        guard P384.isSignature(signature) else {
            throw NitroRefusal(
                .signatureForm, at: "signature", expected: "96 bytes, r and s each in 1..<n",
                found: "\(signature.count) bytes" + (signature.count == 96 ? ", out of range" : ""))
        }
    }

    /// What the signature is over: the Sig_structure of RFC 9052 section 4.4 up to the payload's bytes.
    static func signedPrefix(payloadCount: Int) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(4)
        writer.text("Signature1")
        writer.bytes(protectedHeader)
        writer.bytes([])
        // The head of a byte string; the payload follows.
        switch payloadCount {
        case ..<24: return writer.bytes + [0x40 | UInt8(payloadCount)]
        case ..<0x100: return writer.bytes + [0x58, UInt8(payloadCount)]
        default: return writer.bytes + [0x59, UInt8(payloadCount >> 8), UInt8(payloadCount & 0xFF)]
        }
    }
}

/// A CBOR reader whose errors say what was expected, and at which byte.
struct NitroReader {
    private(set) var cbor: CBORReader
    private let fault: NitroFault

    init(_ bytes: [UInt8], fault: NitroFault) {
        cbor = CBORReader(anyEncoding: bytes)
        self.fault = fault
    }

    /// Leaves the innermost array or map.
    mutating func end() { cbor.end() }

    mutating func read<Value>(
        _ place: String, _ expected: String, as fault: NitroFault? = nil,
        _ read: (inout CBORReader) throws(CBORError) -> Value
    ) throws(NitroRefusal) -> Value {
        do throws(CBORError) {
            return try read(&cbor)
        } catch {
            throw NitroRefusal(
                fault ?? self.fault, at: place, expected: expected, found: "\(error) at byte \(cbor.offset)")
        }
    }
}
