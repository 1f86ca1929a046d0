import AttestationVerifier
import EnclaveProtocol
import SimulatedNitro
import Sodium

/// Genuine documents that say something else than this evidence, this challenge and this policy need.
enum NitroBindingCases {
    private static let now = CaseDraft.now

    private static func mismatch(
        _ name: String, _ alter: @escaping (inout DocumentDraft) -> Void
    ) throws -> GeneratedCase {
        try NitroCase.refuses(name, .evidenceKeyMismatch) { $1.alter = alter }
    }

    static func all() throws -> [GeneratedCase] {
        try binding() + time() + debug() + measurements() + signatures()
    }

    private static func binding() throws -> [GeneratedCase] {
        let other = [UInt8](repeating: 0x5a, count: 32)
        return [
            try NitroCase.refuses("no-document", .missingNitroDocument) { draft, _ in
                // A document is made for every case: this one throws it away.
                draft.withholdsDocument = true
                draft.environment = "production"
                draft.policy.environment = "production"
            },
            try mismatch("nonce-null") { $0.nonce = nil },
            try mismatch("nonce-absent") { $0.alterFields = { $0.removeAll { $0.key == .text("nonce") } } },
            try mismatch("nonce-empty") { $0.nonce = [] },
            try mismatch("nonce-of-another-challenge") { $0.nonce = other },
            try mismatch("nonce-cut-short") { $0.nonce = $0.nonce.map { $0.dropLast() } },
            try mismatch("nonce-with-a-byte-more") { $0.nonce = $0.nonce.map { $0 + [0] } },
            try mismatch("user-data-null") { $0.userData = nil },
            try mismatch("user-data-empty") { $0.userData = [] },
            try mismatch("user-data-of-another-evidence") { $0.userData = Hash.sha512(other) },
            try mismatch("user-data-in-the-nonce-and-reverse") { ($0.userData, $0.nonce) = ($0.nonce, $0.userData) },
            try NitroCase.refuses("user-data-the-evidence-itself", .evidenceKeyMismatch) { draft, nitro in
                let nitro = nitro
                draft.document = { evidence, nonce in nitro.document(userData: evidence, nonce: nonce) }
            },
            try mismatch("public-key-present") { $0.publicKey = other },
            try mismatch("public-key-empty") { $0.publicKey = [] },
            try mismatch("document-for-kms") { document in
                // What an enclave shows to KMS: a key for the answer, no challenge, no evidence.
                document.publicKey = NitroDraft.rsaPublicKey
                document.userData = nil
                document.nonce = nil
            },
            try NitroCase.refuses("evidence-changed-after-the-document", .evidenceKeyMismatch) { draft, nitro in
                let nitro = nitro
                draft.document = { evidence, nonce in
                    nitro.document(userData: Hash.sha512(evidence.dropLast() + [0]), nonce: nonce)
                }
            },
        ]
    }

    private static func time() throws -> [GeneratedCase] {
        [
            try NitroCase.refuses("document-of-the-future", .nitroDocumentInvalid, .timestamp) { _, nitro in
                nitro.chainAt = now + 33
                nitro.timestamp = (now + 33) * 1000
            },
            try NitroCase.refuses("timestamp-in-seconds", .nitroDocumentInvalid, .timestamp) { _, nitro in
                nitro.timestamp /= 1000
            },
            try NitroCase.refuses("timestamp-before-the-leaf", .nitroDocumentInvalid, .timestamp) { _, nitro in
                nitro.timestamp = (now - 4) * 1000
            },
            try NitroCase.refuses("document-older-than-allowed", .staleAttestation) { draft, nitro in
                nitro.chainAt = now - 400
                nitro.timestamp = (now - 400) * 1000
            },
        ]
    }

    private static func debug() throws -> [GeneratedCase] {
        var cases = try [[0], [1], [2], [0, 1, 2]].map { zeros in
            try NitroCase.refuses(
                "debug-pcr" + zeros.map(String.init).joined(), .debugEnclaveRefused
            ) { draft, nitro in
                for index in zeros { nitro.registers[index].value = Registers.zero }
                // Even a policy that names the zeros lets no debug enclave in.
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement())]
                draft.policy.kmsAllowedMeasurements = draft.policy.allowedMeasurements
            }
        }
        cases.append(
            try NitroCase.refuses("debug-stating-the-built-measurement", .debugEnclaveRefused) { draft, nitro in
                let built = nitro.measurement()
                for index in 0...2 { nitro.registers[index].value = Registers.zero }
                // What `nitro-cli describe-enclaves` goes on to print of a debug enclave.
                draft.statedMeasurement = built
            })
        return cases
    }

    private static func measurements() throws -> [GeneratedCase] {
        var other = NitroDraft()
        other.registers = NitroDraft.registers(of: "release-2")
        let foreign = other
        var cases = [
            try NitroCase.refuses("evidence-states-another-release", .evidenceKeyMismatch) { draft, nitro in
                // The image of release 2 says that it is release 1.
                draft.statedMeasurement = nitro.measurement()
                nitro.registers = foreign.registers
            },
            try NitroCase.refuses("measurement-of-another-release", .measurementNotAllowed, at: .measurement) {
                $1.registers = foreign.registers
            },
            try NitroCase.refuses("another-role", .measurementNotAllowed, at: .measurement) { draft, nitro in
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(3))]
                nitro.registers[3].value = Registers.extended(
                    Registers.zero, by: Array("arn:aws:iam::444455556666:role/alfred".utf8))
            },
            try NitroCase.refuses("no-role-where-one-is-demanded", .measurementNotAllowed, at: .measurement) {
                draft, nitro in
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(3))]
                nitro.registers[3].value = Registers.zero
            },
            try NitroCase.refuses("another-signer", .measurementNotAllowed, at: .measurement) { draft, nitro in
                nitro.registers[8].value = Registers.extended(Registers.zero, by: [1])
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(8))]
                nitro.registers[8].value = Registers.extended(Registers.zero, by: [2])
            },
            try NitroCase.refuses("pcr16-demanded-and-absent", .measurementNotAllowed, at: .measurement) {
                draft, nitro in
                nitro.registers.append((16, Registers.extended(Registers.zero, by: [1])))
                draft.policy.allowedMeasurements = [.init(name: NitroCase.releaseName, nitro.measurement(16))]
                nitro.registers.removeLast()
            },
            try NitroCase.refuses("measurement-not-for-kms", .kmsPolicyDenied, at: .measurement) { draft, _ in
                draft.policy.kmsAllowedMeasurements = [.init(foreign.measurement())]
            },
            try NitroCase.refuses("no-release-allowed", .measurementNotAllowed, at: .measurement) { draft, _ in
                draft.policy.allowedMeasurements = []
            },
            try NitroCase.refuses("other-environment", .runtimeMismatch, at: .runtime) { draft, _ in
                draft.environment = "staging"
            },
        ]
        for index in [UInt64(0), 1, 2] {
            cases.append(
                try NitroCase.refuses("only-pcr\(index)-differs", .measurementNotAllowed, at: .measurement) {
                    _, nitro in
                    nitro.registers[Int(index)].value = foreign.registers[Int(index)].value
                })
        }
        return cases
    }

    private static func signatures() throws -> [GeneratedCase] {
        [
            try NitroCase.refuses("no-signature", .missingAttestationSignature, at: .signature) { draft, _ in
                draft.signingSeed = nil
            },
            try NitroCase.refuses("foreign-signature", .invalidAttestationSignature, at: .signature) { draft, _ in
                draft.signingSeed = 8
            },
            try NitroCase.refuses("key-not-the-configured-one", .invalidAttestationSignature, at: .signature) {
                draft, _ in
                draft.statedSeed = 8
                draft.signingSeed = 8
            },
            try NitroCase.refuses(
                "foreign-signature-where-no-key-is-configured", .invalidAttestationSignature, at: .signature
            ) { draft, _ in
                draft.policy.publicKeys = []
                draft.signingSeed = 8
            },
            try NitroCase.refuses("answered-before", .challengeReplayDetected, at: .replay) { draft, _ in
                draft.outstanding = false
            },
        ]
    }
}
