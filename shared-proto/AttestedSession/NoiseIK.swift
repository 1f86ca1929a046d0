internal import Sodium

/// The handshake `Noise_IK_25519_ChaChaPoly_SHA256` (Noise revision 34): `<- s … -> e, es, s, ss <- e, ee, se`.
///
/// One value per handshake and side; the long-term key is borrowed for each step and not kept.
struct NoiseIK: ~Copyable {
    static let keyBytes = X25519.keyBytes
    /// Message 1 without payload: ephemeral, sealed static key, tag of the empty payload.
    static let firstMessageBytes = keyBytes + keyBytes + ChaCha20Poly1305.tagBytes + ChaCha20Poly1305.tagBytes

    private var symmetric = SymmetricState(protocolName: "Noise_IK_25519_ChaChaPoly_SHA256")
    private let ephemeral: X25519.PrivateKey
    private var remoteStatic: [UInt8]
    private var remoteEphemeral: [UInt8] = []

    /// The initiator's state: the host, which knows the enclave's key from the evidence.
    init(
        initiatorKnowing responderKey: [UInt8], prologue: [UInt8],
        ephemeral: consuming X25519.PrivateKey = X25519.PrivateKey()
    ) {
        self.ephemeral = ephemeral
        remoteStatic = responderKey
        symmetric.mixHash(prologue)
        symmetric.mixHash(responderKey)
    }

    /// The responder's state: the enclave, which learns the host's key from message 1.
    init(
        responderWith publicKey: [UInt8], prologue: [UInt8],
        ephemeral: consuming X25519.PrivateKey = X25519.PrivateKey()
    ) {
        self.ephemeral = ephemeral
        remoteStatic = []
        symmetric.mixHash(prologue)
        symmetric.mixHash(publicKey)
    }

    /// `h` so far; after message 2 the handshake hash.
    var handshakeHash: [UInt8] { symmetric.hash }

    // MARK: Initiator

    /// Message 1: `e, es, s, ss` and the payload.
    mutating func writeFirst(
        staticKey: borrowing X25519.PrivateKey, payload: [UInt8] = []
    ) throws(NoiseError) -> [UInt8] {
        var message = ephemeral.publicKey
        symmetric.mixHash(ephemeral.publicKey)
        try NoiseIK.mixShared(&symmetric, ephemeral, remoteStatic)
        message += symmetric.encryptAndHash(staticKey.publicKey)
        try NoiseIK.mixShared(&symmetric, staticKey, remoteStatic)
        message += symmetric.encryptAndHash(payload)
        return message
    }

    /// Reads message 2 and returns its payload.
    mutating func readSecond(
        _ message: [UInt8], staticKey: borrowing X25519.PrivateKey
    ) throws(NoiseError) -> [UInt8] {
        guard message.count >= NoiseIK.keyBytes + ChaCha20Poly1305.tagBytes else { throw .malformed }
        remoteEphemeral = Array(message[..<NoiseIK.keyBytes])
        symmetric.mixHash(remoteEphemeral)
        try NoiseIK.mixShared(&symmetric, ephemeral, remoteEphemeral)
        try NoiseIK.mixShared(&symmetric, staticKey, remoteEphemeral)
        return try symmetric.decryptAndHash(Array(message[NoiseIK.keyBytes...]))
    }

    // MARK: Responder

    /// Reads message 1; returns the initiator's static key, to be checked before message 2, and the payload.
    mutating func readFirst(
        _ message: [UInt8], staticKey: borrowing X25519.PrivateKey
    ) throws(NoiseError) -> (initiatorKey: [UInt8], payload: [UInt8]) {
        guard message.count >= NoiseIK.firstMessageBytes else { throw .malformed }
        let sealedKeyEnd = 2 * NoiseIK.keyBytes + ChaCha20Poly1305.tagBytes
        remoteEphemeral = Array(message[..<NoiseIK.keyBytes])
        symmetric.mixHash(remoteEphemeral)
        try NoiseIK.mixShared(&symmetric, staticKey, remoteEphemeral)
        remoteStatic = try symmetric.decryptAndHash(Array(message[NoiseIK.keyBytes..<sealedKeyEnd]))
        try NoiseIK.mixShared(&symmetric, staticKey, remoteStatic)
        let payload = try symmetric.decryptAndHash(Array(message[sealedKeyEnd...]))
        return (remoteStatic, payload)
    }

    /// Message 2: `e, ee, se` and the payload.
    mutating func writeSecond(payload: [UInt8]) throws(NoiseError) -> [UInt8] {
        symmetric.mixHash(ephemeral.publicKey)
        try NoiseIK.mixShared(&symmetric, ephemeral, remoteEphemeral)
        try NoiseIK.mixShared(&symmetric, ephemeral, remoteStatic)
        return ephemeral.publicKey + symmetric.encryptAndHash(payload)
    }

    // MARK: Both

    /// The ciphers of the session; call once, after message 2.
    mutating func split() -> TransportPair { symmetric.split() }

    private static func mixShared(
        _ symmetric: inout SymmetricState, _ privateKey: borrowing X25519.PrivateKey, _ publicKey: [UInt8]
    ) throws(NoiseError) {
        guard let shared = privateKey.sharedSecret(with: publicKey) else { throw .zeroSharedSecret }
        unsafe shared.withUnsafeBytes { unsafe symmetric.mixKey($0) }
    }
}
