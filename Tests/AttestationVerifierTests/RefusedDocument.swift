import AttestationVerifier
import SimulatedNitro
import Testing

/// A document that is wrong in one way, signed as it is.
struct RefusedDocument: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let fault: NitroFault
    let change: @Sendable (inout DocumentDraft) -> Void

    init(_ what: String, _ fault: NitroFault, _ change: @escaping @Sendable (inout DocumentDraft) -> Void) {
        testDescription = what
        self.fault = fault
        self.change = change
    }

    static let all = [
        RefusedDocument("protected header of ES256", .protectedHeader) { $0.protected = [0xA1, 0x01, 0x26] },
        RefusedDocument("protected header with a second entry", .protectedHeader) {
            $0.protected = [0xA2, 0x01, 0x38, 0x22, 0x04, 0x40]
        },
        RefusedDocument("bytes after the protected map", .protectedHeader) { $0.protected += [0x00] },
        RefusedDocument("unprotected algorithm", .unprotectedHeader) {
            $0.unprotected = .map([.init(.unsigned(1), .negative(34))])
        },
        RefusedDocument("DER signature", .signatureForm) {
            $0.alterSignature = { _ in [UInt8](repeating: 0x30, count: 102) }
        },
        RefusedDocument("r of zero", .signatureForm) {
            $0.alterSignature = { [UInt8](repeating: 0, count: 48) + $0.suffix(48) }
        },
        RefusedDocument("s of n", .signatureForm) { $0.alterSignature = { $0.prefix(48) + CurveKey.order() } },
        RefusedDocument("trailing byte", .notCOSESign1) { $0.trailing = [0] },
        RefusedDocument("bytes after the payload's map", .malformedPayload) { $0.alterPayload = { $0 + [0xF6] } },
        RefusedDocument("an empty payload", .notCOSESign1) { $0.alterPayload = { _ in [] } },
        RefusedDocument("another digest", .fieldValue) { $0.digest = "SHA256" },
        RefusedDocument("no module", .fieldValue) { $0.moduleID = "" },
        RefusedDocument("no time", .fieldValue) { $0.timestamp = 0 },
        RefusedDocument("no register", .fieldValue) { $0.registers = [] },
        RefusedDocument("a register of 32 bytes", .fieldValue) {
            $0.registers[0].value = [UInt8](repeating: 1, count: 32)
        },
        RefusedDocument("a register of 64 bytes", .fieldValue) {
            $0.registers[0].value = [UInt8](repeating: 1, count: 64)
        },
        RefusedDocument("register 32", .fieldValue) { $0.registers.append((32, Registers.zero)) },
        RefusedDocument("a register twice", .fieldTwice) { $0.registers.append((0, Registers.zero)) },
        RefusedDocument("no certificate", .fieldMissing) {
            $0.alterFields = { $0.removeAll { $0.key == .text("certificate") } }
        },
        RefusedDocument("no registers", .fieldMissing) {
            $0.alterFields = { $0.removeAll { $0.key == .text("pcrs") } }
        },
        RefusedDocument("a null certificate", .fieldValue) { $0.alterFields = { $0[4].value = .null } },
        RefusedDocument("a field twice", .fieldTwice) { $0.alterFields = { $0.append($0[8]) } },
        RefusedDocument("an unknown field", .fieldUnknown) {
            $0.alterFields = { $0.append(.init(.text("extra"), .null)) }
        },
        RefusedDocument("a number as a field's name", .malformedPayload) {
            $0.alterFields = { $0.append(.init(.unsigned(1), .null)) }
        },
        RefusedDocument("a NitroTPM document", .otherKindOfDocument) {
            $0.alterFields = { $0[3].key = .text("nitrotpm_pcrs") }
        },
        RefusedDocument("an empty bundle", .fieldValue) { $0.cabundle = [] },
        RefusedDocument("a long nonce", .fieldValue) { $0.nonce = [UInt8](repeating: 1, count: 1025) },
        RefusedDocument("a nonce of text", .fieldValue) { $0.alterFields = { $0[8].value = .text("x") } },
    ]
}
