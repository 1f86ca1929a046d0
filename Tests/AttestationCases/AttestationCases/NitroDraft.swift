import AttestationVerifier
import SimulatedNitro
import Sodium

/// The document of a case on its way: a well-behaved one of release 1, until something is changed.
struct NitroDraft {
    static let instanceID = "i-0123456789abcdef0"
    /// Instance profile of the parent, which PCR3 stands for.
    static let role = "arn:aws:iam::111122223333:role/alfred"

    /// DER of an RSA key of 2048 bits, whose factors nobody has: what an enclave shows to KMS.
    static let rsaPublicKey = DER.sequence(
        DER.sequence(DER.identifier("1.2.840.113549.1.1.1"), [0x05, 0x00]),
        DER.bits(DER.sequence(DER.integer((0..<8).flatMap { Digest.sha256.of([UInt8($0)]) }), DER.integer([1, 0, 1]))))

    var authority = NitroPKI(instanceID: instanceID)
    var moduleID = "\(instanceID)-enc0123456789abcdef"
    var registers = registers(of: "release-1")
    /// When the leaf was issued, four seconds after it begins; unix seconds.
    var chainAt = CaseDraft.now + 1
    /// Clock of the secure module, unix milliseconds.
    var timestamp = (CaseDraft.now + 1) * 1000 + 250
    var alterChain: (inout NitroPKI.Chain) -> Void = { _ in }
    var alter: (inout DocumentDraft) -> Void = { _ in }

    static func registers(of image: String) -> [(index: UInt64, value: [UInt8])] {
        Registers.make(image: image, role: role, instanceID: instanceID).enumerated().map { (UInt64($0), $1) }
    }

    /// `pcr0=…+pcr1=…+pcr2=…`, with further registers if asked for.
    func measurement(_ further: UInt64...) -> String {
        registers.filter { $0.index < 3 || further.contains($0.index) }
            .map { "pcr\($0.index)=\(Hex.encode($0.value))" }.joined(separator: "+")
    }

    /// Changes one certificate of the chain before it is signed.
    mutating func certificate(
        _ level: NitroPKI.Level, _ change: @escaping @Sendable (inout CertificateDraft) -> Void
    ) {
        let before = authority.alter
        authority.alter = { current, draft in
            before(current, &draft)
            if current == level { change(&draft) }
        }
    }

    /// The document for evidence of these bytes.
    func document(userData: [UInt8]?, nonce: [UInt8]?) -> [UInt8] {
        var chain = authority.chain(moduleID: moduleID, at: chainAt)
        alterChain(&chain)
        var draft = DocumentDraft(
            moduleID: moduleID, timestamp: timestamp, registers: registers, chain: chain, userData: userData,
            nonce: nonce)
        alter(&draft)
        return draft.encoded()
    }
}

/// Evidence of a Nitro enclave with the document of its secure module.
///
/// `ALFRED_ENV` is `local`, for nowhere else does a test root count.
enum NitroCase {
    static let releaseName = "release-1"

    static func accepts(
        _ name: String, as identity: String = releaseName,
        _ change: (inout CaseDraft, inout NitroDraft) -> Void = { _, _ in }
    ) throws -> GeneratedCase {
        try draft(change).made("nitro-accept-\(name)", expected: Recording.accepting(identity: identity))
    }

    static func refuses(
        _ name: String, _ reason: AttestationReason, _ fault: NitroFault? = nil,
        at check: VerificationCheck = .nitroDocument, _ change: (inout CaseDraft, inout NitroDraft) -> Void
    ) throws -> GeneratedCase {
        try draft(change).made(
            "nitro-refuse-\(name)", expected: Recording.refusing(reason, at: check, fault: fault))
    }

    /// Good evidence, changed.
    static func draft(_ change: (inout CaseDraft, inout NitroDraft) -> Void = { _, _ in }) throws -> CaseDraft {
        var (draft, nitro) = (CaseDraft(), NitroDraft())
        draft.runtime = "nitro"
        draft.measurement = nitro.measurement()
        draft.policy = AttestationPolicy(
            expectedRuntime: "nitro", environment: "local",
            allowedMeasurements: [AcceptedMeasurement(name: releaseName, nitro.measurement())],
            publicKeys: [CaseDraft.publicKey(7)], maximumAgeSeconds: 300,
            nitroRoot: try NitroRoot(testCertificate: nitro.authority.root))
        let before = (nitro.measurement(), draft.document == nil)
        change(&draft, &nitro)
        // Whoever changes the image states its measurement, unless the case says otherwise.
        if draft.measurement == before.0 { draft.measurement = nitro.measurement() }
        if before.1, draft.document == nil {
            let final = nitro
            draft.document = { evidence, nonce in final.document(userData: Hash.sha512(evidence), nonce: nonce) }
        }
        return draft
    }
}
