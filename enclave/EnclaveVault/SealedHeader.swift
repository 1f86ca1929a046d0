internal import Sodium

/// The clear part of a sealed value:
/// `version 1 ‖ key id hash 16 ‖ key version u32 ‖ record version u64 ‖ nonce 24 ‖ commitment 32`, integers big-endian.
/// The ciphertext follows.
struct SealedHeader {
    static let formatVersion: UInt8 = 1
    static let keyIDHashBytes = 16
    static let commitmentBytes = 32
    static let nonceRange = 29..<53
    static let commitmentRange = 53..<85
    static let byteCount = 85
    /// Bytes that a sealed value is longer than its plaintext.
    static let overhead = byteCount + XChaCha20Poly1305.tagBytes

    let keyVersion: UInt32
    let recordVersion: UInt64

    /// Reads the header and compares it with what was measured and asked for; says nothing yet about authenticity.
    init(_ sealed: [UInt8], policy: KeyPolicy, context: SealContext) throws(VaultError) {
        guard sealed.count >= Self.overhead, sealed[0] == Self.formatVersion else { throw .sealedDataRejected }
        guard sealed[1..<17].elementsEqual(policy.keyIDHash) else { throw .keyPolicyMismatch }
        keyVersion = sealed[17..<21].reduce(0) { $0 << 8 | UInt32($1) }
        recordVersion = sealed[21..<29].reduce(0) { $0 << 8 | UInt64($1) }
        guard policy.mayOpen(keyVersion) else { throw .keyPolicyMismatch }
        guard recordVersion == context.recordVersion else { throw .sealedDataRejected }
    }

    /// Writes the header but for nonce and commitment.
    static func write(
        policy: KeyPolicy, recordVersion: UInt64, into output: UnsafeMutableRawBufferPointer
    ) {
        unsafe output[0] = formatVersion
        for (index, byte) in policy.keyIDHash.enumerated() {
            unsafe output[1 + index] = byte
        }
        unsafe output.storeBytes(of: policy.activeVersion.bigEndian, toByteOffset: 17, as: UInt32.self)
        unsafe output.storeBytes(of: recordVersion.bigEndian, toByteOffset: 21, as: UInt64.self)
    }
}
