internal import EnclaveProtocol

/// Reads the map inside the envelope, field by field.
struct NitroPayloadReader {
    private static let names = [
        "module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key", "user_data", "nonce",
    ]
    private static let maximumModuleIDBytes = 256
    private static let maximumCertificateBytes = 1024
    private static let maximumCertificates = 8
    private static let maximumUserBytes = 1024
    private static let maximumFields = 64
    /// Milliseconds to the end of the year 9999.
    private static let latest: UInt64 = 253_402_300_799_999

    private var reader: NitroReader
    private let envelope: COSESign1
    private var present: Set<String> = []

    private var moduleID: String?
    private var timestamp: UInt64?
    private var registers: [Int: [UInt8]] = [:]
    private var certificate: [UInt8] = []
    private var bundle: [[UInt8]] = []
    private var optional: [String: [UInt8]] = [:]

    init(_ envelope: COSESign1) {
        self.envelope = envelope
        reader = NitroReader(envelope.payload, fault: .malformedPayload)
    }

    /// The document; every field once, nothing after the map.
    mutating func document() throws(NitroRefusal) -> NitroDocument {
        let count = try reader.read("payload", "a map") { cbor throws(CBORError) in
            try cbor.map(atMost: Self.maximumFields)
        }
        for _ in 0..<count { try field() }
        try reader.read("payload", "nothing after the map") { cbor throws(CBORError) in
            cbor.end()
            try cbor.finish()
        }
        for name in Self.names.prefix(6) where !present.contains(name) {
            throw NitroRefusal(.fieldMissing, at: name, expected: "the field", found: "nothing")
        }
        return NitroDocument(
            moduleID: moduleID ?? "", timestampMilliseconds: timestamp ?? 0, registers: registers,
            certificate: certificate, bundle: bundle, publicKey: optional["public_key"],
            userData: optional["user_data"], nonce: optional["nonce"], payload: envelope.payload,
            signature: envelope.signature)
    }

    private mutating func field() throws(NitroRefusal) {
        let name = try reader.read("payload", "a field's name") { cbor throws(CBORError) in
            try cbor.text(atMost: 64)
        }
        guard name != "nitrotpm_pcrs" else { throw Self.ofNitroTPM(at: name) }
        guard Self.names.contains(name) else {
            throw NitroRefusal(.fieldUnknown, at: name, expected: Self.names.joined(separator: ", "), found: name)
        }
        guard present.insert(name).inserted else {
            throw NitroRefusal(.fieldTwice, at: name, expected: "the field once", found: "twice")
        }
        switch name {
        case "module_id": moduleID = try readModuleID()
        case "digest": try readDigest()
        case "timestamp": timestamp = try readTimestamp()
        case "pcrs": try readRegisters()
        case "certificate": certificate = try readCertificate("certificate")
        case "cabundle": try readBundle()
        default: optional[name] = try readOptional(name)
        }
    }

    private static func ofNitroTPM(at place: String) -> NitroRefusal {
        NitroRefusal(
            .otherKindOfDocument, at: place, expected: "a document of an enclave",
            found: "a NitroTPM document: of an EC2 instance, whose owner has root")
    }

    private mutating func readModuleID() throws(NitroRefusal) -> String {
        let text = try reader.read("module_id", "a text of 1 to 256 bytes", as: .fieldValue) { cbor throws(CBORError) in
            let text = try cbor.text(atMost: Self.maximumModuleIDBytes)
            guard !text.isEmpty else { throw .outOfRange }
            return text
        }
        // `<instance id>-tpm<16 digits>`; an enclave's ends in `-enc<16 digits>`.
        guard text.wholeMatch(of: /.*-tpm[0-9a-f]{16}/) == nil else { throw Self.ofNitroTPM(at: "module_id") }
        return text
    }

    private mutating func readDigest() throws(NitroRefusal) {
        let digest = try reader.read("digest", "the text SHA384", as: .fieldValue) { cbor throws(CBORError) in
            try cbor.text(atMost: 64)
        }
        guard digest == "SHA384" else {
            throw NitroRefusal(.fieldValue, at: "digest", expected: "SHA384", found: digest)
        }
    }

    private mutating func readTimestamp() throws(NitroRefusal) -> UInt64 {
        try reader.read("timestamp", "unix milliseconds before the year 10000", as: .fieldValue) {
            cbor throws(CBORError) in
            try cbor.unsigned(in: 1...Self.latest)
        }
    }

    private mutating func readRegisters() throws(NitroRefusal) {
        let count = try reader.read("pcrs", "a map of 1 to 32 registers", as: .fieldValue) { cbor throws(CBORError) in
            let count = try cbor.map(atMost: 32)
            guard count > 0 else { throw .outOfRange }
            return count
        }
        for _ in 0..<count {
            let index = try reader.read("pcrs", "an index of 0 to 31", as: .fieldValue) { cbor throws(CBORError) in
                Int(try cbor.unsigned(in: 0...31))
            }
            let value = try reader.read("pcrs[\(index)]", "a byte string", as: .fieldValue) { cbor throws(CBORError) in
                try cbor.bytes()
            }
            guard value.count == NitroDocument.registerBytes else {
                throw NitroRefusal(
                    .fieldValue, at: "pcrs[\(index)]", expected: "\(NitroDocument.registerBytes) bytes",
                    found: "\(value.count) bytes")
            }
            guard registers.updateValue(value, forKey: index) == nil else {
                throw NitroRefusal(.fieldTwice, at: "pcrs[\(index)]", expected: "the register once", found: "twice")
            }
        }
        reader.end()
    }

    private mutating func readBundle() throws(NitroRefusal) {
        let expected = "an array of 1 to \(Self.maximumCertificates) certificates"
        let count = try reader.read("cabundle", expected, as: .fieldValue) { cbor throws(CBORError) in
            let count = try cbor.array(atMost: Self.maximumCertificates)
            guard count > 0 else { throw .outOfRange }
            return count
        }
        for index in 0..<count { bundle.append(try readCertificate("cabundle[\(index)]")) }
        reader.end()
    }

    private mutating func readCertificate(_ place: String) throws(NitroRefusal) -> [UInt8] {
        try reader.read(place, "a byte string of 1 to 1024 bytes", as: .fieldValue) { cbor throws(CBORError) in
            let der = try cbor.bytes(atMost: Self.maximumCertificateBytes)
            guard !der.isEmpty else { throw .outOfRange }
            return der
        }
    }

    private mutating func readOptional(_ name: String) throws(NitroRefusal) -> [UInt8]? {
        try reader.read(name, "a byte string of at most 1024 bytes, or null", as: .fieldValue) {
            cbor throws(CBORError) in
            try cbor.optionalBytes(atMost: Self.maximumUserBytes)
        }
    }
}
