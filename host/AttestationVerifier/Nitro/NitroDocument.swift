internal import EnclaveProtocol

/// An attestation document of a Nitro secure module as it is written down; nothing in it is verified.
///
/// COSE_Sign1 with ES384 around a CBOR map, in any well-formed encoding. Every field is required, of the type and size
/// that the secure module gives it; a field that is unknown is refused, for it may change what the others mean (as
/// `nitrotpm_pcrs` does). `null` and absent are alike; the empty string is neither.
public struct NitroDocument: Equatable, Sendable {
    /// Bytes of a platform configuration register (SHA-384).
    public static let registerBytes = 48
    /// Largest document that is read, in bytes.
    public static let maximumBytes = Limits.maximumNSMDocumentBytes

    /// `<instance id>-enc<16 hex>`
    public let moduleID: String
    /// Clock of the secure module, unix milliseconds.
    public let timestampMilliseconds: UInt64
    /// Locked registers by index, 0–31; each of 48 bytes.
    public let registers: [Int: [UInt8]]
    /// DER of the certificate whose key signed.
    public let certificate: [UInt8]
    /// DER of the issuers, root first.
    public let bundle: [[UInt8]]
    /// What the enclave put in.
    public let publicKey: [UInt8]?
    /// What the enclave put in.
    public let userData: [UInt8]?
    /// What the enclave put in.
    public let nonce: [UInt8]?

    /// The signed bytes as they came.
    let payload: [UInt8]
    /// `r ‖ s`, 96 bytes.
    let signature: [UInt8]

    /// Clock of the secure module, unix seconds.
    public var timestamp: UInt64 { timestampMilliseconds / 1000 }

    /// The lowest of PCR0–2 that is zero: the enclave runs in debug mode and its measurement says nothing.
    public var debugRegister: Int? {
        (0...2).first { registers[$0].map { $0.allSatisfy { $0 == 0 } } ?? true }
    }

    /// Reads a document of at most `maximumBytes`; trailing bytes are refused.
    public init(parsing bytes: [UInt8]) throws(NitroRefusal) {
        var payload = NitroPayloadReader(try COSESign1(parsing: bytes))
        self = try payload.document()
    }

    init(
        moduleID: String, timestampMilliseconds: UInt64, registers: [Int: [UInt8]], certificate: [UInt8],
        bundle: [[UInt8]], publicKey: [UInt8]?, userData: [UInt8]?, nonce: [UInt8]?, payload: [UInt8],
        signature: [UInt8]
    ) {
        self.moduleID = moduleID
        self.timestampMilliseconds = timestampMilliseconds
        self.registers = registers
        self.certificate = certificate
        self.bundle = bundle
        self.publicKey = publicKey
        self.userData = userData
        self.nonce = nonce
        self.payload = payload
        self.signature = signature
    }
}
