internal import EnclaveProtocol
internal import Sodium

/// `CipherState` of one direction after the handshake (Noise revision 34, section 5.1); its key is wiped with it.
struct TransportCipher: ~Copyable, Sendable {
    private let key: SecretBytes
    /// Number of the next message.
    private(set) var nonce: UInt64

    init(key: consuming SecretBytes, nonce: UInt64 = 0) {
        self.key = key
        self.nonce = nonce
    }

    /// Seals the first `count` bytes of `memory` in place; the tag goes behind them.
    mutating func seal(_ memory: UnsafeMutableRawBufferPointer, count: Int) throws(NoiseError) {
        guard nonce < .max else { throw .nonceExhausted }
        let plaintext = unsafe UnsafeRawBufferPointer(rebasing: memory[..<count])
        let ciphertext = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<(count + Limits.tagBytes)])
        unsafe key.withUnsafeBytes { key in
            unsafe ChaCha20Poly1305.seal(plaintext, into: ciphertext, key: key, counter: nonce)
        }
        nonce += 1
    }

    /// Opens a whole message in place and returns the part of `memory` that now is plaintext.
    mutating func open(_ memory: UnsafeMutableRawBufferPointer) throws(NoiseError) -> UnsafeRawBufferPointer {
        guard nonce < .max else { throw .nonceExhausted }
        guard memory.count >= Limits.tagBytes else { throw .malformed }
        let plaintext = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<(memory.count - Limits.tagBytes)])
        let opened = unsafe key.withUnsafeBytes { key in
            unsafe ChaCha20Poly1305.open(UnsafeRawBufferPointer(memory), into: plaintext, key: key, counter: nonce)
        }
        guard opened else { throw .authenticationFailed }
        nonce += 1
        return UnsafeRawBufferPointer(plaintext)
    }
}

/// The two ciphers of a session.
struct TransportPair: ~Copyable, Sendable {
    var fromInitiator: TransportCipher
    var fromResponder: TransportCipher
}
