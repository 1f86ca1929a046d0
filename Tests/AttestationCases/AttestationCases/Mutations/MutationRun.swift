public import AttestationVerifier
import EnclaveProtocol

/// Judges mutations of good evidence by the production verifier.
///
/// A finding is an accepted mutation that says anything else than the original: other evidence bytes or another
/// Ed25519 signature, or a document whose decoded claims (every field, certificates byte for byte) are not the original's.
/// Accepting the same claims in another envelope (tag 18, longer heads, the signature's twin r, n − s) is none: those
/// bytes are signed by nobody.
public struct MutationRun: Sendable {
    /// What came of some mutations.
    public struct Tally: Sendable {
        /// Mutations made, by kind.
        public var made: [MutationKind: Int] = [:]
        /// Mutations that changed nothing of what was said and were accepted, by kind.
        public var unchanged: [MutationKind: Int] = [:]
        /// Refusals, by reason.
        public var refused: [AttestationReason: Int] = [:]
        /// Refused documents, by fault.
        public var faults: [NitroFault: Int] = [:]
        /// Numbers of the mutations that were accepted and should not have been.
        public var findings: [Int] = []

        public init() {}

        /// Adds another tally to this one.
        public mutating func add(_ other: Tally) {
            made.merge(other.made, uniquingKeysWith: +)
            unchanged.merge(other.unchanged, uniquingKeysWith: +)
            refused.merge(other.refused, uniquingKeysWith: +)
            faults.merge(other.faults, uniquingKeysWith: +)
            findings += other.findings
        }
    }

    private let mutator: Mutator
    private let verifiers: [Verifier]

    /// Makes the good evidence to start from; the verifiers it is judged by keep their chains from one to the next.
    public init(seed: UInt64) throws {
        let sources = try MutationSource.all()
        mutator = Mutator(sources: sources, seed: seed)
        verifiers = sources.map { Verifier(policy: $0.policy) }
    }

    /// Whether the good evidence itself is accepted: without that, refusals would mean nothing.
    public func acceptsTheOriginals() -> Bool {
        mutator.sources.allSatisfy { judge($0.answer, $0).reason == nil }
    }

    /// Judges the mutations of these numbers, telling each number before it is judged.
    public func run(_ numbers: some Sequence<Int>, telling: (Int) -> Void = { _ in }) -> Tally {
        var tally = Tally()
        for number in numbers {
            telling(number)
            let (kind, source, answer) = mutator.mutation(number)
            tally.made[kind, default: 0] += 1
            let verdict = judge(answer, source)
            if let reason = verdict.reason {
                tally.refused[reason, default: 0] += 1
                if let fault = verdict.fault { tally.faults[fault, default: 0] += 1 }
            } else if saysTheSame(answer, source) {
                tally.unchanged[kind, default: 0] += 1
            } else {
                tally.findings.append(number)
            }
        }
        return tally
    }

    /// What mutation `number` is, for people.
    public func describe(_ number: Int) -> (kind: MutationKind, document: [UInt8], evidence: [UInt8]) {
        let (kind, _, answer) = mutator.mutation(number)
        return (kind, answer.nsmDocument ?? [], answer.evidence)
    }

    private func judge(
        _ answer: ChallengeAnswer, _ source: MutationSource
    ) -> (reason: AttestationReason?, fault: NitroFault?) {
        guard let index = mutator.sources.firstIndex(where: { $0.challenge == source.challenge }) else {
            return (.invalidAttestationDocument, nil)
        }
        verifiers[index].expect(source.challenge, now: source.judgedAt)
        switch verifiers[index].report(on: answer, to: source.challenge, now: source.judgedAt).result {
        case .success: return (nil, nil)
        case .failure(let refusal): return (refusal.reason, refusal.nitroFault)
        }
    }

    private func saysTheSame(_ answer: ChallengeAnswer, _ source: MutationSource) -> Bool {
        guard answer.evidence == source.answer.evidence, answer.signature == source.answer.signature,
            let bytes = answer.nsmDocument, let document = try? NitroDocument(parsing: bytes)
        else { return false }
        let original = source.document
        return document.moduleID == original.moduleID
            && document.timestampMilliseconds == original.timestampMilliseconds
            && document.registers == original.registers && document.certificate == original.certificate
            && document.bundle == original.bundle && document.publicKey == original.publicKey
            && document.userData == original.userData && document.nonce == original.nonce
    }
}
