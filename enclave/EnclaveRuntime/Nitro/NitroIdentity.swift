internal import EnclaveProtocol

/// What the registers of an enclave say it is.
struct NitroIdentity: Sendable {
    static let runtime = "nitro"
    /// Image, kernel with first ramdisk, the other ramdisks: together the image.
    private static let imageRegisters: [UInt64] = [0, 1, 2]

    /// `pcr0=<96 hex>+pcr1=<96 hex>+pcr2=<96 hex>`
    let measurement: String
    /// Any of PCR0 to 2 is zero: the console is open, and the parent may read everything.
    let isDebug: Bool
    private let registers: [UInt64: String]

    init(_ document: OwnDocument) throws(SecureModuleError) {
        registers = document.registers.mapValues(hexadecimal)
        var parts: [String] = []
        var isDebug = false
        for index in Self.imageRegisters {
            guard let value = document.registers[index] else { throw .malformed }
            parts.append("pcr\(index)=\(hexadecimal(value))")
            isDebug = isDebug || value.allSatisfy { $0 == 0 }
        }
        measurement = parts.joined(separator: "+")
        self.isDebug = isDebug
    }

    /// Whether `text` names PCR0, 1 and 2, and every register it names has the value it says.
    func matches(_ text: String) -> Bool {
        var named: Set<UInt64> = []
        for part in text.split(separator: "+", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, sides[0].hasPrefix("pcr"),
                let index = decimal(String(sides[0].dropFirst(3)), in: 0...31).map(UInt64.init),
                registers[index] == String(sides[1]), named.insert(index).inserted
            else { return false }
        }
        return named.isSuperset(of: Self.imageRegisters)
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
