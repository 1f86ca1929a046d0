/// A question to which the enclave answers with signed evidence: `[nonce, issued, expires, purpose, request id]`.
public struct Challenge: WireMessage, Equatable {
    /// Purpose of the challenge that a session starts with.
    public static let sessionPurpose = "session"
    /// Purpose of the hosts' start-up probe.
    public static let startupProbePurpose = "startup_probe"

    /// 32 random bytes of the asking side.
    public let nonce: [UInt8]
    /// Unix seconds, wall clock of the asking side.
    public let issuedAt: UInt64
    /// Unix seconds; greater than `issuedAt`.
    public let expiresAt: UInt64
    /// `^[a-z][a-z0-9_.]{0,63}$`
    public let purpose: String
    /// 1–128 characters of `[A-Za-z0-9._-]`.
    public let requestID: String

    /// A challenge; values out of rule are refused by the reader on the other side.
    public init(nonce: [UInt8], issuedAt: UInt64, expiresAt: UInt64, purpose: String, requestID: String) {
        self.nonce = nonce
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.purpose = purpose
        self.requestID = requestID
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(nonce, issuedAt, expiresAt, purpose, requestID)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 5)
        nonce = try reader.bytes(exactly: 32)
        issuedAt = try reader.unsigned()
        expiresAt = try reader.unsigned()
        guard expiresAt > issuedAt else { throw .outOfRange }
        purpose = try reader.text(atMost: Limits.maximumChallengePurposeBytes)
        guard Challenge.isPurpose(purpose) else { throw .outOfRange }
        requestID = try reader.requestID()
        reader.end()
    }

    /// Whether `text` matches `^[a-z][a-z0-9_.]{0,63}$`.
    public static func isPurpose(_ text: String) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return text.utf8.count <= Limits.maximumChallengePurposeBytes
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            }
    }
}

/// The statement that the enclave signs; its exact bytes are what signature and NSM document commit to.
public struct Evidence: WireMessage, Equatable {
    /// First item of the encoding; nothing else that the enclave signs begins with it.
    public static let label = "alfred-evidence/1"

    /// `nitro`, or what `TEE_EXPECTED_RUNTIME` says in local modes.
    public let runtime: String
    /// `ALFRED_ENV` of the enclave.
    public let environment: String
    /// Measurement of the image.
    public let measurement: String
    /// The challenge as it came.
    public let challenge: Challenge
    /// Unix seconds, clock of the enclave.
    public let issuedAt: UInt64
    /// 32 random bytes of the enclave.
    public let random: [UInt8]
    /// X25519 static key of the enclave, made at boot: the Noise responder key.
    public let sessionKey: [UInt8]
    /// Ed25519 public key of the challenge signature, or nil where there is no signature.
    public let signingKey: [UInt8]?

    /// An evidence statement.
    public init(
        runtime: String, environment: String, measurement: String, challenge: Challenge, issuedAt: UInt64,
        random: [UInt8], sessionKey: [UInt8], signingKey: [UInt8]?
    ) {
        self.runtime = runtime
        self.environment = environment
        self.measurement = measurement
        self.challenge = challenge
        self.issuedAt = issuedAt
        self.random = random
        self.sessionKey = sessionKey
        self.signingKey = signingKey
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(
            Evidence.label, runtime, environment, measurement, challenge, issuedAt, random, sessionKey, signingKey)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 9)
        guard try reader.text(atMost: Limits.maximumLabelBytes) == Evidence.label else { throw .outOfRange }
        runtime = try reader.text(atMost: Limits.maximumRuntimeBytes)
        environment = try reader.text(atMost: Limits.maximumWordBytes)
        measurement = try reader.text(atMost: Limits.maximumFieldBytes)
        challenge = try Challenge(from: &reader)
        issuedAt = try reader.unsigned()
        random = try reader.bytes(exactly: 32)
        sessionKey = try reader.bytes(exactly: 32)
        signingKey = reader.null() ? nil : try reader.bytes(exactly: 32)
        reader.end()
    }
}

/// Answer to a challenge: `[evidence bytes, signature / null, NSM document / null]`.
public struct ChallengeAnswer: WireMessage, Equatable {
    /// Encoding of `Evidence`, exactly as signed.
    public let evidence: [UInt8]
    /// Ed25519 signature over `evidence`, 64 bytes.
    public let signature: [UInt8]?
    /// COSE_Sign1 attestation document of the Nitro secure module, at most 16 KiB.
    public let nsmDocument: [UInt8]?

    /// An answer.
    public init(evidence: [UInt8], signature: [UInt8]?, nsmDocument: [UInt8]?) {
        self.evidence = evidence
        self.signature = signature
        self.nsmDocument = nsmDocument
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(evidence, signature, nsmDocument)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        evidence = try reader.bytes(atMost: Limits.maximumEvidenceBytes)
        signature = reader.null() ? nil : try reader.bytes(exactly: 64)
        nsmDocument = try reader.optionalBytes(atMost: Limits.maximumNSMDocumentBytes)
        reader.end()
    }
}

/// The informative statement of `attestation.document`; bound to no nonce, so nothing may rely on its key.
public struct IdentityDocument: WireMessage, Equatable {
    /// First item of the encoding.
    public static let label = "alfred-document/1"

    /// As in `Evidence`.
    public let runtime: String
    /// `ALFRED_ENV` of the enclave.
    public let environment: String
    /// Measurement of the image.
    public let measurement: String
    /// `dev-shim` or `remote`.
    public let mode: String
    /// Unix seconds, clock of the enclave.
    public let issuedAt: UInt64
    /// X25519 static key, informative.
    public let sessionKey: [UInt8]
    /// Ed25519 public key, or nil.
    public let signingKey: [UInt8]?

    /// A document.
    public init(
        runtime: String, environment: String, measurement: String, mode: String, issuedAt: UInt64,
        sessionKey: [UInt8], signingKey: [UInt8]?
    ) {
        self.runtime = runtime
        self.environment = environment
        self.measurement = measurement
        self.mode = mode
        self.issuedAt = issuedAt
        self.sessionKey = sessionKey
        self.signingKey = signingKey
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(IdentityDocument.label, runtime, environment, measurement, mode, issuedAt, sessionKey, signingKey)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 8)
        guard try reader.text(atMost: Limits.maximumLabelBytes) == IdentityDocument.label else { throw .outOfRange }
        runtime = try reader.text(atMost: Limits.maximumRuntimeBytes)
        environment = try reader.text(atMost: Limits.maximumWordBytes)
        measurement = try reader.text(atMost: Limits.maximumFieldBytes)
        mode = try reader.text(atMost: Limits.maximumWordBytes)
        issuedAt = try reader.unsigned()
        sessionKey = try reader.bytes(exactly: 32)
        signingKey = reader.null() ? nil : try reader.bytes(exactly: 32)
        reader.end()
    }
}

/// Answer of `attestation.document`: `[document bytes, signature / null, NSM document / null]`.
public struct DocumentAnswer: WireMessage, Equatable {
    /// Encoding of `IdentityDocument`, exactly as signed.
    public let document: [UInt8]
    /// Ed25519 signature over `document`.
    public let signature: [UInt8]?
    /// NSM document, or nil.
    public let nsmDocument: [UInt8]?

    /// An answer.
    public init(document: [UInt8], signature: [UInt8]?, nsmDocument: [UInt8]?) {
        self.document = document
        self.signature = signature
        self.nsmDocument = nsmDocument
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(document, signature, nsmDocument)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        document = try reader.bytes(atMost: Limits.maximumEvidenceBytes)
        signature = reader.null() ? nil : try reader.bytes(exactly: 64)
        nsmDocument = try reader.optionalBytes(atMost: Limits.maximumNSMDocumentBytes)
        reader.end()
    }
}
