import AttestationVerifier
import EnclaveProtocol
import SimulatedNitro
import Sodium

/// Good evidence that mutations start from, and what a verifier needs to judge it.
struct MutationSource: Sendable {
    let answer: ChallengeAnswer
    let challenge: Challenge
    let policy: AttestationPolicy
    let judgedAt: UInt64
    /// The document's parts, so that they can be exchanged and signed again.
    let payload: CBORItem
    let leafKey: CurveKey
    /// Claims of the document: what an accepted mutation must still say.
    let document: NitroDocument

    /// Good evidence of each kind, each for a challenge of its own.
    static func all() throws -> [MutationSource] {
        let user = Registers.extended(Registers.zero, by: [1])
        return [
            try make(1) { _ in },
            try make(2) { $0.alter = { $0.isIndefinite = false } },
            try make(3) { $0.authority.shape = .beforeMid2024 },
            try make(4) { $0.registers.append((16, user)) },
            try make(5) { $0.authority.extraIssuers = 3 },
            try make(6) { $0.alter = { $0.alterEnvelope = { .tag(18, $0) } } },
        ]
    }

    private static func make(_ number: UInt8, _ change: (inout NitroDraft) -> Void) throws -> MutationSource {
        var nitro = NitroDraft()
        change(&nitro)
        let final = nitro
        let draft = try NitroCase.draft { draft, nitro in
            draft.challenge = Challenge(
                nonce: [UInt8](repeating: number, count: 32), issuedAt: CaseDraft.now,
                expiresAt: CaseDraft.now + 300, purpose: "session", requestID: "mutation-\(number)")
            nitro = final
        }
        let answer = draft.answer()
        let document = answer.nsmDocument ?? []
        guard case .bytes(let bytes)? = CBORItem(decoding: document)?.untagged.items.dropFirst(2).first,
            let payload = CBORItem(decoding: bytes)
        else { throw RecordedEvidence.ReadError.malformed(part: "document") }
        return MutationSource(
            answer: answer, challenge: draft.challenge, policy: draft.policy, judgedAt: draft.judgedAt,
            payload: payload, leafKey: nitro.authority.chain(moduleID: nitro.moduleID, at: nitro.chainAt).leafKey,
            document: try NitroDocument(parsing: document))
    }

    /// A document of this payload, signed by `key`.
    func document(_ payload: CBORItem, by key: CurveKey) -> [UInt8] {
        let (header, bytes): ([UInt8], [UInt8]) = ([0xa1, 0x01, 0x38, 0x22], payload.encoded())
        let signature = key.rawSignature(DocumentDraft.signedBytes(header, bytes))
        return CBORItem.array([.bytes(header), .map([]), .bytes(bytes), .bytes(signature)]).encoded()
    }

    /// A document of this payload with the signature of the original.
    func document(keepingSignature payload: CBORItem) -> [UInt8] {
        var parts = CBORItem(decoding: answer.nsmDocument ?? [])?.untagged.items ?? []
        guard parts.count == 4 else { return [] }
        parts[2] = .bytes(payload.encoded())
        return CBORItem.array(parts).encoded()
    }
}

extension CBORItem {
    /// The item without its outermost tag.
    var untagged: CBORItem {
        guard case .tag(_, let item) = self else { return self }
        return item
    }
}
