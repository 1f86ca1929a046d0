/// What the secure module answers when it refuses; the raw values are its wire names.
public enum SecureModuleError: String, Error, Codable, CaseIterable, Sendable {
    case invalidArgument = "InvalidArgument"
    case invalidIndex = "InvalidIndex"
    case invalidResponse = "InvalidResponse"
    case readOnlyIndex = "ReadOnlyIndex"
    case invalidOperation = "InvalidOperation"
    case bufferTooSmall = "BufferTooSmall"
    case inputTooLarge = "InputTooLarge"
    case internalError = "InternalError"
}

/// What a module that was tampered with does to an attestation, or one that is out of order to any request.
///
/// As JSON: `{"error":{"_0":"InternalError"}}`, `{"silence":{}}`, `{"clock":{"offsetSeconds":-3600}}`.
public enum Misbehaviour: Codable, Hashable, Sendable {
    /// Any request is answered with an error.
    case error(SecureModuleError)
    /// No answer; the connection stays open.
    case silence
    /// The connection ends.
    case hangUp
    /// Half of the answer, in a frame of its own size.
    case truncated
    /// An answer longer than the device's buffer.
    case oversize
    /// An answer that is no CBOR.
    case garbage
    /// One byte behind the answer.
    case trailingByte
    /// A document with another nonce, user data or public key than asked for.
    case otherNonce, otherUserData, otherPublicKey
    /// PCR0 to PCR2 are zero, as in debug mode; PCR3 and PCR4 are not.
    case debugRegisters
    /// The certificates ended an hour ago.
    case expiredChain
    /// Timestamp and certificates of another time.
    case clock(offsetSeconds: Int)
    /// Signed by a key that is not the leaf's.
    case foreignKey
    /// Chain of another root.
    case otherRoot
}

/// The registers of an image, for tests: `PCR = SHA384(0^48 || content)`.
public enum Registers {
    /// Registers 0 to 15; those not named are zero.
    public static func make(
        image: String, role: String? = "arn:aws:iam::111122223333:role/alfred", instanceID: String
    ) -> [[UInt8]] {
        var registers = [[UInt8]](repeating: zero, count: 16)
        for index in 0...2 { registers[index] = extended(zero, by: Array("\(image)/pcr\(index)".utf8)) }
        if let role { registers[3] = extended(zero, by: Array(role.utf8)) }
        registers[4] = extended(zero, by: Array(instanceID.utf8))
        return registers
    }

    /// 48 bytes of zero.
    public static let zero = [UInt8](repeating: 0, count: 48)

    /// `SHA384(register || data)`
    public static func extended(_ register: [UInt8], by data: [UInt8]) -> [UInt8] { Digest.sha384.of(register + data) }
}
