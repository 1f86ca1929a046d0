internal import Sodium

/// Registers that identify an image: `pcr0=<96 hex>+pcr1=…+pcr2=…`, further ones optional, lower case, 0–2 not zero.
public struct NitroMeasurement: Equatable, Sendable {
    /// Values by index; 0, 1 and 2 always.
    public let registers: [Int: [UInt8]]

    /// Reads the text form; nil for any other text.
    public init?(_ text: String) {
        guard text.utf8.count <= 32 * 105 else { return nil }
        var registers: [Int: [UInt8]] = [:]
        for part in text.split(separator: "+", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, pair[0].hasPrefix("pcr"), let index = Int(pair[0].dropFirst(3)),
                pair[0] == "pcr\(index)", (0...31).contains(index), pair[1] == pair[1].lowercased(),
                let value = Hex.decode(String(pair[1])), value.count == NitroDocument.registerBytes,
                registers.updateValue(value, forKey: index) == nil
            else { return nil }
        }
        guard (0...2).allSatisfy({ registers[$0]?.contains { $0 != 0 } == true }) else { return nil }
        self.registers = registers
    }

    /// A register in which a document is not as it should be.
    struct Difference: Equatable {
        let register: Int
        let expected: [UInt8]
        let found: [UInt8]?
    }

    /// The lowest register that `document` does not have, or has with another value.
    func difference(from document: NitroDocument) -> Difference? {
        for (index, value) in registers.sorted(by: { $0.key < $1.key }) where document.registers[index] != value {
            return Difference(register: index, expected: value, found: document.registers[index])
        }
        return nil
    }
}

extension NitroDocument {
    /// PCR0–2 as the text form of a measurement; nil where one is missing.
    public var measurement: String? {
        let parts = (0...2).compactMap { index in registers[index].map { "pcr\(index)=\(Hex.encode($0))" } }
        return parts.count == 3 ? parts.joined(separator: "+") : nil
    }
}

extension [AcceptedMeasurement] {
    /// The first entry whose registers are all in `document`.
    func match(_ document: NitroDocument) -> AcceptedMeasurement? {
        first { entry in
            NitroMeasurement(entry.measurement).map { $0.difference(from: document) == nil } ?? false
        }
    }

    /// Why none of the entries matches: the register in which the nearest one differs.
    func refusal(of document: NitroDocument, _ reason: AttestationReason) -> AttestationRefusal {
        let differences = compactMap { entry -> (AcceptedMeasurement, NitroMeasurement.Difference)? in
            NitroMeasurement(entry.measurement)?.difference(from: document).map { (entry, $0) }
        }
        guard let (entry, difference) = differences.max(by: { $0.1.register < $1.1.register }) else {
            return AttestationRefusal(
                reason, expected: isEmpty ? AttestationRefusal.emptyPolicy : "an entry that names PCR0, PCR1 and PCR2",
                found: "PCR0 \(document.registers[0].map(Hex.encode) ?? "missing")")
        }
        let others = count > 1 ? ", nearest of \(count)" : ""
        return AttestationRefusal(
            reason, difference, of: (entry.name.map { "release \($0)" } ?? "the release") + others)
    }
}

extension AttestationRefusal {
    static let emptyPolicy = "a measurement: the policy allows none at all"

    init(_ reason: AttestationReason, _ difference: NitroMeasurement.Difference, of what: String) {
        self.init(
            reason, expected: "\(Hex.encode(difference.expected)) of \(what)",
            found: difference.found.map(Hex.encode) ?? "the register is not in the document",
            register: difference.register)
    }
}
