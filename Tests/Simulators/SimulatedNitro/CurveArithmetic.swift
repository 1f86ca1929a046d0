internal import COpenSSL

/// A NIST curve.
public enum Curve: Sendable {
    case p256, p384

    var bytes: Int { self == .p256 ? 32 : 48 }
    var digest: Digest { self == .p256 ? .sha256 : .sha384 }
    fileprivate var number: Int32 { self == .p256 ? NID_X9_62_prime256v1 : NID_secp384r1 }
}

/// The arithmetic of ECDSA with a nonce of the caller's choice, which OpenSSL's own functions do not offer.
///
/// For test keys only: nothing here runs in constant time.
@safe struct CurveArithmetic: ~Copyable {
    let curve: Curve
    private let group: OpaquePointer
    private let context: OpaquePointer
    private let order: OpaquePointer

    init(_ curve: Curve) {
        guard let group = unsafe EC_GROUP_new_by_curve_name(curve.number), let context = unsafe BN_CTX_new(),
            let order = unsafe BN_new(), unsafe EC_GROUP_get_order(group, order, context) == 1
        else { preconditionFailure("OpenSSL lacks the curve") }
        self.curve = curve
        unsafe self.group = group
        unsafe self.context = context
        unsafe self.order = order
    }

    deinit {
        unsafe BN_free(order)
        unsafe BN_CTX_free(context)
        unsafe EC_GROUP_free(group)
    }

    /// `value` modulo the order of the curve.
    func reduced(_ value: [UInt8]) -> [UInt8] {
        let number = unsafe number(value)
        defer { unsafe BN_free(number) }
        unsafe check(BN_nnmod(number, number, order, context))
        return unsafe bytes(number)
    }

    /// Whether `value` is in 1..<order.
    func isScalar(_ value: [UInt8]) -> Bool {
        let number = unsafe number(value)
        defer { unsafe BN_free(number) }
        return unsafe BN_is_zero(number) == 0 && BN_cmp(number, order) < 0
    }

    /// order − value
    func negated(_ value: [UInt8]) -> [UInt8] {
        let number = unsafe number(value)
        defer { unsafe BN_free(number) }
        unsafe check(BN_sub(number, order, number))
        return unsafe bytes(number)
    }

    /// The order itself.
    func orderBytes() -> [UInt8] { unsafe bytes(order) }

    /// scalar × G, uncompressed: 04, x, y.
    func point(_ scalar: [UInt8]) -> [UInt8] {
        let number = unsafe number(scalar)
        defer { unsafe BN_free(number) }
        guard let point = unsafe EC_POINT_new(group) else { preconditionFailure("no memory") }
        defer { unsafe EC_POINT_free(point) }
        unsafe check(EC_POINT_mul(group, point, number, nil, nil, context))
        var bytes = [UInt8](repeating: 0, count: 1 + 2 * curve.bytes)
        let written = unsafe EC_POINT_point2oct(
            group, point, POINT_CONVERSION_UNCOMPRESSED, &bytes, bytes.count, context)
        precondition(written == bytes.count, "a point of another size")
        return bytes
    }

    /// r and s for the digest `hash`, the nonce `nonce` and the key `scalar`.
    func signature(hash: [UInt8], nonce: [UInt8], scalar: [UInt8]) -> (r: [UInt8], s: [UInt8]) {
        let r = reduced(Array(point(nonce)[1...curve.bytes]))
        let (k, d, h, x) = unsafe (number(nonce), number(scalar), number(hash), number(r))
        guard let s = unsafe BN_mod_inverse(nil, k, order, context) else { preconditionFailure("nonce is no scalar") }
        defer {
            unsafe BN_free(k)
            unsafe BN_free(d)
            unsafe BN_free(h)
            unsafe BN_free(x)
            unsafe BN_free(s)
        }
        // s = (h + r d) / k
        unsafe check(BN_mod_mul(d, d, x, order, context))
        unsafe check(BN_mod_add(d, d, h, order, context))
        unsafe check(BN_mod_mul(s, s, d, order, context))
        return unsafe (r, bytes(s))
    }

    private func number(_ bytes: [UInt8]) -> OpaquePointer {
        guard let number = unsafe BN_bin2bn(bytes, Int32(bytes.count), nil) else { preconditionFailure("no memory") }
        return unsafe number
    }

    private func bytes(_ number: OpaquePointer) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: curve.bytes)
        let written = unsafe BN_bn2binpad(number, &bytes, Int32(bytes.count))
        precondition(written == Int32(bytes.count), "a number beyond the curve")
        return bytes
    }

    private func check(_ status: Int32) { precondition(status == 1, "OpenSSL cannot calculate") }
}
