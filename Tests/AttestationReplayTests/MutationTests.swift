import AttestationCases
import AttestationVerifier
import Testing

/// A bounded run of what `scripts/fuzz attestation` does a million times.
@Suite struct MutationTests {
    /// Every run judges other mutations; a finding names the seed.
    @Test(arguments: 0..<4) func noMutationOfGoodEvidenceIsAccepted(_ part: Int) throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        let run = try MutationRun(seed: seed)
        #expect(run.acceptsTheOriginals())
        let tally = run.run(0..<1500)
        #expect(tally.findings.isEmpty, "attestation-cases show \(tally.findings.first ?? 0) \(seed)")
        #expect(tally.made.values.reduce(0, +) == 1500)
        #expect(Set(tally.made.keys) == Set(MutationKind.allCases))
        // The verifier is asked real questions: some mutations change nothing of what is said, and many get as far as
        // a signature.
        #expect(tally.unchanged[.envelope, default: 0] > 0)
        #expect(tally.faults[.documentSignature, default: 0] > 0)
        #expect(tally.faults[.certificateSignature, default: 0] > 0)
    }

    @Test func theSameNumberOfTheSameSeedIsTheSameMutation() throws {
        let (first, second, other) = (try MutationRun(seed: 1), try MutationRun(seed: 1), try MutationRun(seed: 2))
        for number in 0..<50 {
            #expect(first.describe(number).document == second.describe(number).document)
        }
        #expect((0..<50).contains { first.describe($0).document != other.describe($0).document })
    }
}
