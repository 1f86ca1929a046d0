/// Everything an attestation document says, each part open to be wrong on purpose, and its signature.
public struct DocumentDraft: Sendable {
    public var moduleID: String
    public var digest = "SHA384"
    /// Unix milliseconds.
    public var timestamp: UInt64
    /// Index and value; indexes may be doubled.
    public var registers: [(index: UInt64, value: [UInt8])]
    public var certificate: [UInt8]
    public var cabundle: [[UInt8]]
    public var publicKey: [UInt8]?
    public var userData: [UInt8]?
    public var nonce: [UInt8]?

    /// `bf … ff`, as since mid-2025, or `a9`, as before.
    public var isIndefinite = true
    /// Last word on the payload's map, before it is encoded.
    public var alterFields: @Sendable (inout [CBORItem.Pair]) -> Void = { _ in }
    /// Last word on the payload's bytes, before they are signed.
    public var alterPayload: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    /// The protected header; ES384.
    public var protected: [UInt8] = [0xa1, 0x01, 0x38, 0x22]
    public var unprotected = CBORItem.map([])
    /// Last word on the signature.
    public var alterSignature: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    /// Last word on the four parts of COSE_Sign1.
    public var alterEnvelope: @Sendable (CBORItem) -> CBORItem = { $0 }
    /// Bytes after the document.
    public var trailing: [UInt8] = []
    public var signer: CurveKey

    /// What a module with this chain would state.
    public init(
        moduleID: String, timestamp: UInt64, registers: [(index: UInt64, value: [UInt8])], chain: NitroPKI.Chain,
        publicKey: [UInt8]? = nil, userData: [UInt8]? = nil, nonce: [UInt8]? = nil
    ) {
        self.moduleID = moduleID
        self.timestamp = timestamp
        self.registers = registers
        certificate = chain.leaf
        cabundle = chain.cabundle
        self.publicKey = publicKey
        self.userData = userData
        self.nonce = nonce
        signer = chain.leafKey
    }

    /// The signed document.
    public func encoded() -> [UInt8] {
        let payload = alterPayload(self.payload())
        let signature = alterSignature(signer.rawSignature(Self.signedBytes(protected, payload)))
        let envelope = CBORItem.array([.bytes(protected), unprotected, .bytes(payload), .bytes(signature)])
        return alterEnvelope(envelope).encoded() + trailing
    }

    /// The bytes that the signature is over (RFC 9052, section 4.4).
    public static func signedBytes(_ protected: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        CBORItem.array([.text("Signature1"), .bytes(protected), .bytes([]), .bytes(payload)]).encoded()
    }

    private func payload() -> [UInt8] {
        func optional(_ bytes: [UInt8]?) -> CBORItem { bytes.map { .bytes($0) } ?? .null }
        var fields: [CBORItem.Pair] = [
            .init(.text("module_id"), .text(moduleID)),
            .init(.text("digest"), .text(digest)),
            .init(.text("timestamp"), .raw(CBORItem.head(0, timestamp, isLong: true))),
            .init(.text("pcrs"), .map(registers.map { .init(.unsigned($0.index), .bytes($0.value)) })),
            .init(.text("certificate"), .bytes(certificate)),
            .init(.text("cabundle"), .array(cabundle.map { .bytes($0) })),
            .init(.text("public_key"), optional(publicKey)),
            .init(.text("user_data"), optional(userData)),
            .init(.text("nonce"), optional(nonce)),
        ]
        alterFields(&fields)
        return CBORItem.map(fields, isIndefinite: isIndefinite).encoded()
    }
}
