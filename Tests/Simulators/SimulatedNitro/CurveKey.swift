/// A key made from a seed, whose signatures have no randomness (RFC 6979): the same bytes on every run.
public struct CurveKey: Sendable {
    public let curve: Curve
    /// 04, x, y
    public let publicPoint: [UInt8]
    private let scalar: [UInt8]

    /// The key that belongs to `seed`, which anybody can make: for tests only.
    public init(_ curve: Curve = .p384, seed: String) {
        let arithmetic = CurveArithmetic(curve)
        self.init(curve, scalar: arithmetic.reduced(Digest.sha512.of(Array(seed.utf8))))
    }

    /// A key of a big-endian number below the order.
    public init(_ curve: Curve, scalar: [UInt8]) {
        self.curve = curve
        self.scalar = scalar
        publicPoint = CurveArithmetic(curve).point(scalar)
    }

    /// r and s, each of the curve's size, big-endian, over `digest` of the message.
    public func sign(_ message: [UInt8], digest: Digest = .sha384) -> (r: [UInt8], s: [UInt8]) {
        let arithmetic = CurveArithmetic(curve)
        // Of a digest that is longer than the order only the first bits count.
        let hash = arithmetic.reduced(Array(digest.of(message).prefix(curve.bytes)))
        var nonce = Nonce(scalar: scalar, hash: hash, digest: curve.digest)
        while true {
            let candidate = nonce.next()
            guard arithmetic.isScalar(candidate) else { continue }
            return arithmetic.signature(hash: hash, nonce: candidate, scalar: scalar)
        }
    }

    /// r || s
    public func rawSignature(_ message: [UInt8], digest: Digest = .sha384) -> [UInt8] {
        let (r, s) = sign(message, digest: digest)
        return r + s
    }

    /// The DER form that certificates carry.
    public func derSignature(_ message: [UInt8], digest: Digest = .sha384) -> [UInt8] {
        let (r, s) = sign(message, digest: digest)
        return DER.sequence(DER.integer(r), DER.integer(s))
    }

    /// The other signature that verifies: (r, n − s).
    public static func flipped(_ signature: [UInt8], _ curve: Curve = .p384) -> [UInt8] {
        signature.prefix(curve.bytes) + CurveArithmetic(curve).negated(Array(signature.suffix(curve.bytes)))
    }

    /// Whether s is above half of the order.
    public static func isHigh(_ signature: [UInt8], _ curve: Curve = .p384) -> Bool {
        flipped(signature, curve).suffix(curve.bytes).lexicographicallyPrecedes(signature.suffix(curve.bytes))
    }

    /// The order of the curve.
    public static func order(_ curve: Curve = .p384) -> [UInt8] { CurveArithmetic(curve).orderBytes() }

    /// SubjectPublicKeyInfo, DER.
    public var subjectPublicKeyInfo: [UInt8] {
        let name = curve == .p384 ? "1.3.132.0.34" : "1.2.840.10045.3.1.7"
        return DER.sequence(
            DER.sequence(DER.identifier("1.2.840.10045.2.1"), DER.identifier(name)), DER.bits(publicPoint))
    }
}

/// The generator of RFC 6979, section 3.2.
private struct Nonce {
    private let digest: Digest
    private var key: [UInt8]
    private var value: [UInt8]

    init(scalar: [UInt8], hash: [UInt8], digest: Digest) {
        self.digest = digest
        key = [UInt8](repeating: 0, count: scalar.count)
        value = [UInt8](repeating: 1, count: scalar.count)
        for step: UInt8 in [0, 1] { update([step] + scalar + hash) }
    }

    /// A candidate; digest and order have the same size on both curves.
    mutating func next() -> [UInt8] {
        value = digest.authenticator(key: key, value)
        defer { update([0]) }
        return value
    }

    private mutating func update(_ more: [UInt8]) {
        key = digest.authenticator(key: key, value + more)
        value = digest.authenticator(key: key, value)
    }
}
