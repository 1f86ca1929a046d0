/// Numbers of NIST P-384 and the raw form of its signatures.
enum P384 {
    private static let scalarBytes = 48
    /// Order n of the base point.
    private static let order: [UInt8] =
        [UInt8](repeating: 0xFF, count: 24) + [
            0xC7, 0x63, 0x4D, 0x81, 0xF4, 0x37, 0x2D, 0xDF, 0x58, 0x1A, 0x0D, 0xB2, 0x48, 0xB0, 0xA7, 0x7A, 0xEC, 0xEC,
            0x19, 0x6A, 0xCC, 0xC5, 0x29, 0x73,
        ]

    /// Whether `raw` is `r ‖ s` of 48 bytes each with both in 1..<n; a high s is as good as a low one.
    static func isSignature(_ raw: [UInt8]) -> Bool {
        raw.count == 2 * scalarBytes && isScalar(raw.prefix(scalarBytes)) && isScalar(raw.suffix(scalarBytes))
    }

    private static func isScalar(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.contains { $0 != 0 } && bytes.lexicographicallyPrecedes(order)
    }

    /// Ecdsa-Sig-Value of a raw signature, DER.
    static func derSignature(_ raw: [UInt8]) -> [UInt8] {
        let body = integer(raw.prefix(scalarBytes)) + integer(raw.suffix(scalarBytes))
        return [0x30, UInt8(body.count)] + body
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var magnitude = Array(bytes.drop { $0 == 0 })
        if magnitude.first.map({ $0 >= 0x80 }) ?? true { magnitude.insert(0, at: 0) }
        return [0x02, UInt8(magnitude.count)] + magnitude
    }
}
