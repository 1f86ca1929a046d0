internal import CSodium

/// Hashes and keyed hashes; the forms that write `into` a buffer allocate nothing.
public enum Hash {
    /// Length of a SHA-256 digest or MAC in bytes.
    public static let sha256Bytes = 32
    /// Length of a SHA-512 digest or MAC in bytes.
    public static let sha512Bytes = 64

    /// SHA-256 of `message`.
    public static func sha256(_ message: [UInt8]) -> [UInt8] {
        unsafe message.withUnsafeBytes { message in
            unsafe digest(sha256Bytes) { unsafe sha256(message, into: $0) }
        }
    }

    /// SHA-256 of `message`, written to the 32 bytes of `digest`.
    public static func sha256(_ message: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
        precondition(digest.count == sha256Bytes)
        unsafe crypto_hash_sha256(digest.octets, message.octets, message.length)
    }

    /// SHA-512 of `message`.
    public static func sha512(_ message: [UInt8]) -> [UInt8] {
        unsafe message.withUnsafeBytes { message in
            unsafe digest(sha512Bytes) { unsafe _ = crypto_hash_sha512($0.octets, message.octets, message.length) }
        }
    }

    /// HMAC-SHA-256 of `message`.
    public static func hmacSHA256(key: UnsafeRawBufferPointer, _ message: [UInt8]) -> [UInt8] {
        unsafe message.withUnsafeBytes { message in
            unsafe digest(sha256Bytes) { unsafe hmacSHA256(key: key, message, into: $0) }
        }
    }

    /// HMAC-SHA-256 of `first ‖ second`, written to the 32 bytes of `mac`, which may overlap neither part nor key.
    public static func hmacSHA256(
        key: UnsafeRawBufferPointer, _ first: UnsafeRawBufferPointer,
        _ second: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
        into mac: UnsafeMutableRawBufferPointer
    ) {
        precondition(mac.count == sha256Bytes)
        unsafe withUnsafeTemporaryAllocation(of: crypto_auth_hmacsha256_state.self, capacity: 1) { states in
            guard let state = states.baseAddress else { return }
            unsafe crypto_auth_hmacsha256_init(state, key.octets, key.count)
            unsafe crypto_auth_hmacsha256_update(state, first.octets, first.length)
            unsafe crypto_auth_hmacsha256_update(state, second.octets, second.length)
            unsafe crypto_auth_hmacsha256_final(state, mac.octets)
            unsafe SecretMemory.wipe(UnsafeMutableRawBufferPointer(states))
        }
    }

    /// HMAC-SHA-512 of `message`.
    public static func hmacSHA512(key: UnsafeRawBufferPointer, _ message: [UInt8]) -> [UInt8] {
        unsafe message.withUnsafeBytes { message in
            unsafe digest(sha512Bytes) { unsafe hmacSHA512(key: key, message, into: $0) }
        }
    }

    /// HMAC-SHA-512 of `first ‖ second ‖ third`, written to the 64 bytes of `mac`.
    ///
    /// `mac` may be the same memory as `key` or a part: they are read before it is written.
    public static func hmacSHA512(
        key: UnsafeRawBufferPointer, _ first: UnsafeRawBufferPointer,
        _ second: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
        _ third: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
        into mac: UnsafeMutableRawBufferPointer
    ) {
        precondition(mac.count == sha512Bytes)
        unsafe withUnsafeTemporaryAllocation(of: crypto_auth_hmacsha512_state.self, capacity: 1) { states in
            guard let state = states.baseAddress else { return }
            unsafe crypto_auth_hmacsha512_init(state, key.octets, key.count)
            unsafe crypto_auth_hmacsha512_update(state, first.octets, first.length)
            unsafe crypto_auth_hmacsha512_update(state, second.octets, second.length)
            unsafe crypto_auth_hmacsha512_update(state, third.octets, third.length)
            unsafe crypto_auth_hmacsha512_final(state, mac.octets)
            unsafe SecretMemory.wipe(UnsafeMutableRawBufferPointer(states))
        }
    }

    /// Makes an array of `count` bytes that `fill` writes completely.
    static func digest(_ count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            unsafe fill(UnsafeMutableRawBufferPointer(buffer))
            filled = count
        }
    }
}

/// SHA-256 of a message that arrives in pieces.
@safe public struct Sha256: Sendable {
    private var state = crypto_hash_sha256_state()

    /// Starts an empty message.
    public init() {
        unsafe crypto_hash_sha256_init(&state)
    }

    /// Appends a piece.
    public mutating func update(_ piece: [UInt8]) {
        unsafe piece.withUnsafeBytes { unsafe update($0) }
    }

    /// Appends a piece.
    public mutating func update(_ piece: UnsafeRawBufferPointer) {
        unsafe crypto_hash_sha256_update(&state, piece.octets, piece.length)
    }

    /// Returns the digest of what was appended so far; more may follow.
    public func digest() -> [UInt8] {
        var ending = self
        return unsafe Hash.digest(Hash.sha256Bytes) { unsafe _ = crypto_hash_sha256_final(&ending.state, $0.octets) }
    }
}
