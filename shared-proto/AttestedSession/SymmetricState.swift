internal import Sodium

/// Why a Noise handshake or record ended the connection.
public enum NoiseError: Error, Equatable, Sendable {
    /// A message has another length than the pattern prescribes.
    case malformed
    /// A Diffie-Hellman result is all zero.
    case zeroSharedSecret
    /// A ciphertext was not made by the peer, not in this place, or not in this session.
    case authenticationFailed
    /// A key has been used as often as Noise allows.
    case nonceExhausted
}

/// `SymmetricState` and the handshake's `CipherState` (Noise revision 34, sections 5.1 and 5.2).
struct SymmetricState: ~Copyable {
    static let hashBytes = 32

    /// `h`: commits to everything said so far.
    private(set) var hash: [UInt8]
    /// `ck`, then `k`.
    private var secrets: SecretBytes
    private var hasKey = false
    private var nonce: UInt64 = 0

    /// Starts with a protocol name of exactly 32 bytes, which then needs no hashing.
    init(protocolName: StaticString) {
        let name = unsafe Array(
            UnsafeBufferPointer(start: protocolName.utf8Start, count: protocolName.utf8CodeUnitCount))
        precondition(name.count == SymmetricState.hashBytes)
        hash = name
        unsafe secrets = SecretBytes(count: 2 * SymmetricState.hashBytes) { memory in
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe memory.copyBytes(from: name)
        }
    }

    mutating func mixHash(_ data: [UInt8]) {
        var sum = Sha256()
        sum.update(hash)
        sum.update(data)
        hash = sum.digest()
    }

    mutating func mixKey(_ input: UnsafeRawBufferPointer) {
        unsafe derive(input) { first, second, secrets in
            unsafe secrets.copyMemory(from: first)
            unsafe UnsafeMutableRawBufferPointer(rebasing: secrets[SymmetricState.hashBytes...]).copyMemory(
                from: second)
        }
        hasKey = true
        nonce = 0
    }

    mutating func encryptAndHash(_ plaintext: [UInt8]) -> [UInt8] {
        guard hasKey else {
            mixHash(plaintext)
            return plaintext
        }
        var output = [UInt8](repeating: 0, count: plaintext.count + ChaCha20Poly1305.tagBytes)
        unsafe secrets.withUnsafeBytes { secrets in
            let key = unsafe UnsafeRawBufferPointer(rebasing: secrets[SymmetricState.hashBytes...])
            unsafe output.withUnsafeMutableBytes { output in
                unsafe plaintext.withUnsafeBytes { plaintext in
                    unsafe hash.withUnsafeBytes { hash in
                        unsafe ChaCha20Poly1305.seal(plaintext, into: output, key: key, counter: nonce, ad: hash)
                    }
                }
            }
        }
        nonce += 1
        mixHash(output)
        return output
    }

    mutating func decryptAndHash(_ ciphertext: [UInt8]) throws(NoiseError) -> [UInt8] {
        guard hasKey else {
            mixHash(ciphertext)
            return ciphertext
        }
        guard ciphertext.count >= ChaCha20Poly1305.tagBytes else { throw .malformed }
        var output = [UInt8](repeating: 0, count: ciphertext.count - ChaCha20Poly1305.tagBytes)
        let opened = unsafe secrets.withUnsafeBytes { secrets in
            let key = unsafe UnsafeRawBufferPointer(rebasing: secrets[SymmetricState.hashBytes...])
            return unsafe output.withUnsafeMutableBytes { output in
                unsafe ciphertext.withUnsafeBytes { ciphertext in
                    unsafe hash.withUnsafeBytes { hash in
                        unsafe ChaCha20Poly1305.open(ciphertext, into: output, key: key, counter: nonce, ad: hash)
                    }
                }
            }
        }
        guard opened else { throw .authenticationFailed }
        nonce += 1
        mixHash(ciphertext)
        return output
    }

    /// `Split()`: the cipher of the initiator's messages, then that of the responder's.
    mutating func split() -> TransportPair {
        unsafe derive(UnsafeRawBufferPointer(start: nil, count: 0)) { first, second, _ in
            unsafe TransportPair(
                fromInitiator: TransportCipher(key: SecretBytes(copying: first)),
                fromResponder: TransportCipher(key: SecretBytes(copying: second)))
        }
    }

    /// `HKDF(ck, input, 2)`, lent to `body` together with the memory of `ck ‖ k`.
    private mutating func derive<R: ~Copyable>(
        _ input: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> R
    ) -> R {
        let size = SymmetricState.hashBytes
        // The temporary key, then both outputs.
        var scratch = unsafe SecretBytes(count: 3 * size) { _ in }
        return unsafe scratch.withUnsafeMutableBytes { scratch in
            let key = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[..<size])
            let first = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[size..<(2 * size)])
            let second = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[(2 * size)...])
            return unsafe secrets.withUnsafeMutableBytes { secrets in
                let chaining = unsafe UnsafeRawBufferPointer(rebasing: secrets[..<size])
                unsafe Hash.hmacSHA256(key: chaining, input, into: key)
                unsafe withUnsafeBytes(of: UInt8(1)) { one in
                    unsafe Hash.hmacSHA256(key: UnsafeRawBufferPointer(key), one, into: first)
                }
                unsafe withUnsafeBytes(of: UInt8(2)) { two in
                    unsafe Hash.hmacSHA256(
                        key: UnsafeRawBufferPointer(key), UnsafeRawBufferPointer(first), two, into: second)
                }
                return unsafe body(UnsafeRawBufferPointer(first), UnsafeRawBufferPointer(second), secrets)
            }
        }
    }
}
