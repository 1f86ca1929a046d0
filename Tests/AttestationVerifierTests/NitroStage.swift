import AttestationVerifier
import EnclaveProtocol
import SimulatedNitro
import Sodium

/// A test authority and documents under it, at a fixed time.
struct NitroStage {
    /// Unix seconds.
    static let now: UInt64 = 1_800_000_000
    static let pki = NitroPKI()
    static let registers = Registers.make(image: "release-7", instanceID: pki.instanceID)
    static let moduleID = "\(pki.instanceID)-enc0123456789abcdef"

    static func root(_ pki: NitroPKI = pki) throws -> NitroRoot { try NitroRoot(testCertificate: pki.root) }

    /// PCR0–2 of the image as an allow-list states them.
    static var measurement: String {
        (0...2).map { "pcr\($0)=\(Hex.encode(registers[$0]))" }.joined(separator: "+")
    }

    /// A document of `now`, changed by `change` before it is signed.
    static func document(
        _ pki: NitroPKI = pki, at time: UInt64 = now, nonce: [UInt8]? = nil, userData: [UInt8]? = nil,
        _ change: (inout DocumentDraft) -> Void = { _ in }
    ) -> [UInt8] {
        var draft = DocumentDraft(
            moduleID: moduleID, timestamp: time * 1000,
            registers: registers.enumerated().map { (index: UInt64($0.offset), value: $0.element) },
            chain: pki.chain(moduleID: moduleID, at: time), userData: userData, nonce: nonce)
        change(&draft)
        return draft.encoded()
    }

    /// A document whose certificates are changed before they are signed.
    static func document(altering alter: @escaping @Sendable (NitroPKI.Level, inout CertificateDraft) -> Void)
        -> [UInt8]
    {
        var pki = pki
        pki.alter = alter
        return document(pki)
    }

    /// Fault of a document that is read and whose chain is verified; nil where it is authentic.
    static func fault(_ document: [UInt8], at time: UInt64 = now, root: NitroRoot? = nil) throws -> NitroFault? {
        let verifier = NitroChainVerifier(root: try root ?? Self.root())
        do throws(NitroRefusal) {
            _ = try verifier.verify(NitroDocument(parsing: document), at: time)
            return nil
        } catch {
            return error.fault
        }
    }
}
