import EnclaveProtocol
import SimulatedNitro
import Sodium

/// A way to change good evidence.
public enum MutationKind: String, CaseIterable, Sendable {
    /// One to eight bits of the document.
    case bitFlips
    /// Bytes of the document set to others.
    case byteChanges
    /// The document cut at either end.
    case truncation
    /// Bytes put into the document, or a part of it repeated.
    case insertion
    /// Bytes taken out of the document.
    case deletion
    /// Envelope written otherwise: tags, heads, headers, the other signature that verifies.
    case envelope
    /// Fields of the statement exchanged, removed, repeated or changed, under the old signature.
    case fieldSwap
    /// The same, signed by a key that the leaf does not certify.
    case resigned
    /// A genuine looking document of a root that is not the pinned one, or that only begins with it.
    case foreignChain
    /// Certificates exchanged, removed and repeated, then signed by the genuine key.
    case chainSplice
    /// Bits of one certificate changed, then signed by the genuine key.
    case certificateChange
    /// Evidence, Ed25519 signature, or a document of another evidence.
    case evidence

    /// How many of a hundred mutations are of this kind.
    var share: Int {
        switch self {
        case .bitFlips: 16
        case .byteChanges: 8
        case .truncation, .insertion, .deletion: 12
        case .envelope: 6
        case .fieldSwap: 8
        case .resigned, .chainSplice: 5
        case .certificateChange: 8
        case .foreignChain: 2
        case .evidence: 6
        }
    }
}

/// Makes mutations by number: the same number of the same seed is the same mutation.
struct Mutator {
    let sources: [MutationSource]
    let seed: UInt64
    private static let stranger = CurveKey(seed: "stranger")
    private static let kinds = MutationKind.allCases.flatMap { [MutationKind](repeating: $0, count: $0.share) }

    func mutation(_ number: Int) -> (kind: MutationKind, source: MutationSource, answer: ChallengeAnswer) {
        var random = SplitMix(seed: seed, number: UInt64(number))
        let (kind, source) = (random.pick(Self.kinds), random.pick(sources))
        guard kind != .evidence else { return (kind, source, evidence(of: source, &random)) }
        let document = document(kind, source, &random)
        return (
            kind, source,
            ChallengeAnswer(
                evidence: source.answer.evidence, signature: source.answer.signature, nsmDocument: document)
        )
    }

    private func document(_ kind: MutationKind, _ source: MutationSource, _ random: inout SplitMix) -> [UInt8] {
        let original = source.answer.nsmDocument ?? []
        switch kind {
        case .bitFlips, .byteChanges, .truncation, .insertion, .deletion:
            return ByteChange.apply(kind, to: original, &random)
        case .envelope: return EnvelopeChange.apply(to: original, &random)
        case .fieldSwap:
            return source.document(keepingSignature: FieldChange.apply(to: source.payload, &random))
        case .resigned: return source.document(FieldChange.apply(to: source.payload, &random), by: Self.stranger)
        case .foreignChain: return ChainChange.foreign(source, &random)
        case .chainSplice: return source.document(ChainChange.splice(source.payload, &random), by: source.leafKey)
        case .certificateChange:
            return source.document(ChainChange.damage(source.payload, &random), by: source.leafKey)
        case .evidence: return original
        }
    }

    private func evidence(of source: MutationSource, _ random: inout SplitMix) -> ChallengeAnswer {
        let answer = source.answer
        let other = random.pick(sources).answer
        let key = Ed25519.SigningKey(seed: SecretBytes(copying: [UInt8](repeating: 8, count: 32)))
        switch random.below(5) {
        case 0:
            let evidence = ByteChange.apply(.bitFlips, to: answer.evidence, &random)
            return ChallengeAnswer(evidence: evidence, signature: answer.signature, nsmDocument: answer.nsmDocument)
        case 1:
            let signature = answer.signature.map { ByteChange.apply(.bitFlips, to: $0, &random) }
            return ChallengeAnswer(evidence: answer.evidence, signature: signature, nsmDocument: answer.nsmDocument)
        case 2:
            return ChallengeAnswer(
                evidence: answer.evidence, signature: key?.sign(answer.evidence), nsmDocument: answer.nsmDocument)
        case 3:
            let evidence = ByteChange.apply(.byteChanges, to: answer.evidence, &random)
            return ChallengeAnswer(
                evidence: evidence, signature: CaseDraft.key(7)?.sign(evidence), nsmDocument: answer.nsmDocument)
        default:
            return ChallengeAnswer(
                evidence: answer.evidence, signature: other.signature, nsmDocument: other.nsmDocument)
        }
    }
}
