import AttestationVerifier
import SimulatedNitro
import Sodium

/// Documents that stand alone: with and without what an enclave may put in, and judged at several times.
enum DocumentCases {
    private static let now = CaseDraft.now
    private static let nonce = [UInt8](0..<32)

    /// One case on its way.
    private struct Draft {
        var nitro = NitroDraft()
        var userData: [UInt8]?
        var nonce: [UInt8]? = DocumentCases.nonce
        var context = DocumentCase.Context(
            judged_at: now + 2, allowed_measurements: ["release-1@\(NitroDraft().measurement())"])
        var root: [UInt8]? = NitroDraft().authority.root
    }

    private static func make(
        _ name: String, _ expected: DocumentCase.Verdict, _ change: (inout Draft) -> Void
    ) throws -> GeneratedCase {
        var draft = Draft()
        change(&draft)
        let document = draft.nitro.document(userData: draft.userData, nonce: draft.nonce)
        return GeneratedCase(
            name: "document-\(name)",
            files: try DocumentCase.files(document, root: draft.root, draft.context, expected))
    }

    private static func accepts(_ name: String, _ change: (inout Draft) -> Void) throws -> GeneratedCase {
        try make("accept-\(name)", .init("accept", identity: "release-1"), change)
    }

    private static func refuses(
        _ name: String, _ reason: AttestationReason, at check: NitroCheck, _ fault: NitroFault? = nil,
        _ change: (inout Draft) -> Void
    ) throws -> GeneratedCase {
        try make("refuse-\(name)", .init(reason, at: check, fault), change)
    }

    static func all() throws -> [GeneratedCase] { try contents() + times() + images() + refusals() }

    private static func contents() throws -> [GeneratedCase] {
        let key = NitroDraft.rsaPublicKey
        return [
            try accepts("nothing-put-in") { $0.nonce = nil },
            try accepts("user-data-and-nonce-demanded") {
                $0.userData = Array("hello".utf8)
                $0.context.user_data = Hex.encode(Array("hello".utf8))
                $0.context.nonce = Hex.encode(nonce)
            },
            try accepts("user-data-empty") { $0.userData = [] },
            try accepts("user-data-empty-demanded") {
                $0.userData = []
                $0.context.user_data = ""
            },
            try accepts("user-data-of-746-bytes") { $0.userData = [UInt8](repeating: 1, count: 746) },
            try accepts("user-data-of-1024-bytes") { $0.userData = [UInt8](repeating: 1, count: 1024) },
            try accepts("public-key-empty") { $0.nitro.alter = { $0.publicKey = [] } },
            try accepts("public-key-of-five-bytes") { $0.nitro.alter = { $0.publicKey = [1, 2, 3, 4, 5] } },
            try accepts("public-key-for-kms") { $0.nitro.alter = { $0.publicKey = key } },
            try accepts("definite-map") { $0.nitro.alter = { $0.isIndefinite = false } },
            try accepts("tag-18") { $0.nitro.alter = { $0.alterEnvelope = { .tag(18, $0) } } },
            try accepts("chain-before-mid-2024") { $0.nitro.authority.shape = .beforeMid2024 },
        ]
    }

    private static func times() throws -> [GeneratedCase] {
        [
            try accepts("at-its-own-time") { $0.context.judged_at = nil },
            try accepts("two-hours-later") { $0.context.judged_at = now + 2 * 3600 },
            try refuses("four-hours-later", .certificateChainInvalid, at: .chain, .expired) {
                $0.context.judged_at = now + 4 * 3600
            },
            try refuses("before-its-time", .certificateChainInvalid, at: .chain, .notYetValid) {
                $0.context.judged_at = now - 60
            },
            try refuses("older-than-allowed", .staleAttestation, at: .time) {
                $0.context.judged_at = now + 400
                $0.context.maximum_age_seconds = 300
            },
            try refuses("own-time-outside-the-leaf", .nitroDocumentInvalid, at: .time, .timestamp) {
                $0.nitro.timestamp = (now - 60) * 1000
            },
        ]
    }

    private static func images() throws -> [GeneratedCase] {
        [
            try make("authentic-image-not-judged", .init("authentic")) { $0.context.allowed_measurements = nil },
            try refuses("debug-mode-image-not-judged", .debugEnclaveRefused, at: .debugMode) {
                for index in 0...2 { $0.nitro.registers[index].value = Registers.zero }
                $0.context.allowed_measurements = nil
            },
            try refuses("debug-mode", .debugEnclaveRefused, at: .debugMode) {
                for index in 0...2 { $0.nitro.registers[index].value = Registers.zero }
            },
            try refuses("no-release-allowed", .measurementNotAllowed, at: .measurement) {
                $0.context.allowed_measurements = []
            },
            try refuses("another-release", .measurementNotAllowed, at: .measurement) {
                $0.nitro.registers = NitroDraft.registers(of: "release-2")
            },
            try refuses("another-role", .measurementNotAllowed, at: .measurement) {
                $0.context.allowed_measurements = ["release-1@\($0.nitro.measurement(3))"]
                $0.nitro.registers[3].value = Registers.extended(Registers.zero, by: [1])
            },
        ]
    }

    private static func refusals() throws -> [GeneratedCase] {
        [
            try refuses("nonce-null", .evidenceKeyMismatch, at: .nonce) {
                $0.nonce = nil
                $0.context.nonce = Hex.encode(nonce)
            },
            try refuses("user-data-null-for-empty", .evidenceKeyMismatch, at: .userData) { $0.context.user_data = "" },
            try refuses("root-of-aws-demanded", .certificateChainInvalid, at: .chain, .rootNotPinned) { $0.root = nil },
            try refuses("another-root", .certificateChainInvalid, at: .chain, .rootNotPinned) {
                $0.nitro.authority = NitroPKI(seed: "somebody else", instanceID: NitroDraft.instanceID)
            },
            try refuses("another-key", .nitroDocumentInvalid, at: .signature, .documentSignature) {
                $0.nitro.alter = { $0.signer = CurveKey(seed: "another key") }
            },
            try refuses("evidence-for-a-document", .nitroDocumentInvalid, at: .document, .notCOSESign1) {
                $0.nitro.alter = { document in
                    document.alterEnvelope = { _ in
                        .array([.text("alfred-evidence/1"), .text("nitro"), .text("local"), .null])
                    }
                }
            },
        ]
    }
}
