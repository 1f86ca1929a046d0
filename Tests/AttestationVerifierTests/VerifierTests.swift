import AttestationVerifier
import EnclaveProtocol
import Sodium
import Testing

/// The present of these tests, in unix seconds.
private let now: UInt64 = 1_000_100

@Suite struct VerifierTests {
    private func verdict(
        _ enclave: TestEnclave = TestEnclave(), policy: AttestationPolicy = .local, at time: UInt64 = now
    ) -> Result<VerifiedEnclave, AttestationRefusal> {
        let verifier = Verifier(policy: policy)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        return verifier.report(on: enclave.answer(to: challenge), to: challenge, now: time).result
    }

    private func reason(
        _ enclave: TestEnclave = TestEnclave(), policy: AttestationPolicy = .local, at time: UInt64 = now
    ) -> AttestationReason? {
        switch verdict(enclave, policy: policy, at: time) {
        case .success: nil
        case .failure(let refusal): refusal.reason
        }
    }

    private func local(_ change: (inout AttestationPolicy) -> Void) -> AttestationPolicy {
        var policy = AttestationPolicy.local
        change(&policy)
        return policy
    }

    // MARK: Accepted

    @Test func acceptsSignedEvidenceAndReportsTheNameOfTheEntry() throws {
        let enclave = try verdict().get()
        #expect(enclave.identity == "laptop")
        #expect(enclave.measurement == "dev-local-enclave")
        #expect(enclave.sessionKey == [UInt8](repeating: 9, count: 32))
        #expect(enclave.purpose == "session")
    }

    @Test func reportsTheMeasurementWhereTheEntryHasNoName() throws {
        let policy = local { $0.allowedMeasurements = [AcceptedMeasurement("dev-local-enclave")] }
        #expect(try verdict(policy: policy).get().identity == "dev-local-enclave")
    }

    @Test func acceptsTheRuntimeInAnyCase() {
        #expect(reason(TestEnclave(runtime: "Dev-Shim")) == nil)
    }

    @Test func acceptsTheSecondKeyDuringRotation() {
        let other = TestEnclave.key(8)?.publicKey ?? []
        #expect(reason(policy: local { $0.publicKeys = [other, TestEnclave.publicKey] }) == nil)
    }

    @Test(arguments: [now, now + 300]) func acceptsUntilTheWindowEnds(_ time: UInt64) {
        #expect(reason(TestEnclave(issuedAt: time), at: time) == nil)
    }

    // MARK: Each check refused

    @Test func refusesEvidenceThatDoesNotDecode() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        let good = TestEnclave().answer(to: challenge)
        for evidence in [[], [0x80], good.evidence + [0], Array(good.evidence.dropLast())] {
            verifier.expect(challenge, now: now)
            let answer = ChallengeAnswer(evidence: evidence, signature: good.signature, nsmDocument: nil)
            let result = verifier.report(on: answer, to: challenge, now: now).result
            #expect(result.failure?.reason == .invalidAttestationDocument)
        }
    }

    @Test func refusesAnEchoThatDiffersInAnyField() {
        let nonce = [UInt8](repeating: 5, count: 32)
        #expect(reason(TestEnclave(echo: { $0.with(nonce: nonce) })) == .challengeNonceMismatch)
        #expect(reason(TestEnclave(echo: { $0.with(requestID: "req-2") })) == .challengeRequestIDMismatch)
        #expect(reason(TestEnclave(echo: { $0.with(purpose: "other") })) == .challengePurposeMismatch)
        #expect(reason(TestEnclave(echo: { $0.with(issuedAt: now - 1) })) == .invalidChallengeWindow)
        #expect(reason(TestEnclave(echo: { $0.with(expiresAt: now + 301) })) == .invalidChallengeWindow)
    }

    @Test(arguments: [now - 1, now + 301]) func refusesOutsideTheWindow(_ time: UInt64) {
        #expect(reason(TestEnclave(issuedAt: time), at: time) == .challengeExpired)
    }

    @Test(arguments: [(now - 30, true), (now - 31, false), (now + 330, true), (now + 331, false)])
    func bindsTheEvidenceTimeToTheWindow(_ time: UInt64, isAccepted: Bool) {
        #expect(reason(TestEnclave(issuedAt: time)) == (isAccepted ? nil : .evidenceNotBoundToChallengeWindow))
    }

    @Test(arguments: [(now + 330, true), (now + 331, false)])
    func refusesEvidenceOlderThanTheGreatestAge(_ time: UInt64, isAccepted: Bool) {
        // A window as long as this is never asked for by this host; recorded evidence may have one.
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: now, expiresAt: now + 3000, purpose: "session", requestID: "r")
        let verifier = Verifier(policy: .local)
        verifier.expect(challenge, now: now)
        let report = verifier.report(on: TestEnclave().answer(to: challenge), to: challenge, now: time)
        #expect(report.result.failure?.reason == (isAccepted ? nil : .staleAttestation))
    }

    @Test func asksForNoWindowLongerThanTheGreatestAge() {
        let challenge = Verifier(policy: .local).challenge(purpose: "p", requestID: "r", window: 9999, now: now)
        #expect(challenge.expiresAt == now + 300)
    }

    @Test func refusesAnotherRuntimeOrEnvironment() {
        #expect(reason(TestEnclave(runtime: "nitro")) == .runtimeMismatch)
        #expect(reason(TestEnclave(environment: "staging")) == .runtimeMismatch)
    }

    @Test func refusesAnyNitroDocument() {
        #expect(reason(TestEnclave(nsmDocument: [0x84])) == .nitroDocumentInvalid)
    }

    @Test func refusesSoftwareEvidenceOutsideLocal() {
        let policy = local {
            $0.environment = "production"
            $0.expectedRuntime = "nitro"
        }
        #expect(
            reason(TestEnclave(runtime: "nitro", environment: "production"), policy: policy) == .missingNitroDocument)
    }

    @Test func ignoresRelaxationsOutsideLocal() {
        let policy = local {
            $0.environment = "production"
            $0.isRequired = false
            $0.allowsUnsigned = true
        }
        #expect(reason(TestEnclave(environment: "production", signs: false), policy: policy) == .missingNitroDocument)
    }

    @Test func refusesAMeasurementOutsideTheLists() {
        #expect(reason(TestEnclave(measurement: "another")) == .measurementNotAllowed)
        #expect(reason(policy: local { $0.allowedMeasurements = [] }) == .measurementNotAllowed)
        #expect(reason(policy: local { $0.kmsAllowedMeasurements = [AcceptedMeasurement("x")] }) == .kmsPolicyDenied)
    }

    @Test func refusesWithoutAUsableKeyOrSignature() {
        #expect(reason(policy: local { $0.publicKeys = [] }) == .missingAttestationPublicKey)
        #expect(reason(policy: local { $0.publicKeys = [[1, 2]] }) == .invalidAttestationPublicKey)
        #expect(reason(TestEnclave(signs: false)) == .missingAttestationSignature)
        #expect(
            reason(policy: local { $0.publicKeys = [TestEnclave.key(8)?.publicKey ?? []] })
                == .invalidAttestationSignature)
    }

    @Test func refusesAStatedKeyThatDidNotSign() {
        let other = TestEnclave.key(8)?.publicKey ?? []
        #expect(reason(TestEnclave(statedKey: other)) == .invalidAttestationSignature)
    }

    @Test func refusesASignatureWithAnyBitChanged() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        let good = TestEnclave().answer(to: challenge)
        for index in 0..<64 {
            var signature = good.signature ?? []
            signature[index] ^= 1
            verifier.expect(challenge, now: now)
            let answer = ChallengeAnswer(evidence: good.evidence, signature: signature, nsmDocument: nil)
            let report = verifier.report(on: answer, to: challenge, now: now)
            #expect(report.result.failure?.reason == .invalidAttestationSignature)
        }
    }

    // MARK: Replay

    @Test func aChallengeIsUsedUpByItsFirstGoodAnswer() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        let answer = TestEnclave().answer(to: challenge)
        #expect(verifier.report(on: answer, to: challenge, now: now).result.failure == nil)
        #expect(
            verifier.report(on: answer, to: challenge, now: now).result.failure?.reason == .challengeReplayDetected)
    }

    @Test func aChallengeIsUsedUpByItsFirstBadAnswer() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        let bad = TestEnclave(measurement: "another").answer(to: challenge)
        #expect(verifier.report(on: bad, to: challenge, now: now).result.failure?.reason == .measurementNotAllowed)
        let good = TestEnclave().answer(to: challenge)
        #expect(verifier.report(on: good, to: challenge, now: now).result.failure?.reason == .challengeReplayDetected)
    }

    @Test func refusesTheAnswerToAnAbandonedChallenge() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        verifier.abandon(challenge)
        let report = verifier.report(on: TestEnclave().answer(to: challenge), to: challenge, now: now)
        #expect(report.result.failure?.reason == .challengeReplayDetected)
    }

    @Test func everyChallengeHasItsOwnNonce() {
        let verifier = Verifier(policy: .local)
        let nonces = (0..<1000).map { _ in verifier.challenge(purpose: "session", requestID: "r", now: now).nonce }
        #expect(Set(nonces).count == 1000)
    }

    // MARK: Relaxed policies, local only

    @Test func acceptsUnsignedEvidenceOnlyByTheInsecurePolicy() throws {
        let policy = local { $0.allowsUnsigned = true }
        #expect(try verdict(TestEnclave(signs: false), policy: policy).get().identity == "laptop")
        #expect(reason(TestEnclave(measurement: "another", signs: false), policy: policy) == .measurementNotAllowed)
    }

    @Test func reportsTheIdentityAsUnenforcedWhereNothingIsRequired() throws {
        let policy = local { $0.isRequired = false }
        let enclave = TestEnclave(runtime: "anything", measurement: "anything", signs: false)
        #expect(try verdict(enclave, policy: policy).get().identity == "unenforced")
        #expect(reason(TestEnclave(echo: { $0.with(requestID: "x") }), policy: policy) == .challengeRequestIDMismatch)
    }

    // MARK: Reports

    @Test func reportsEveryCheckInOrder() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
        let report = verifier.report(
            on: TestEnclave(measurement: "an\u{1b}[31mother").answer(to: challenge), to: challenge, now: now)
        #expect(report.checks.map(\.check) == VerificationCheck.allCases)
        #expect(report.checks[3].verdict == .passed)
        #expect(report.checks[6].verdict == .notReached)
        guard case .refused(let refusal) = report.checks[5].verdict else {
            Issue.record("check 6 should refuse")
            return
        }
        #expect(refusal.found == "an?[31mother")
        #expect(refusal.expected == "dev-local-enclave")
    }

    @Test func onlyFourReasonsMeanThatEvidenceCannotBeJudged() {
        let malformed = AttestationReason.allCases.filter(\.isMalformed)
        #expect(
            malformed == [
                .invalidAttestationDocument, .missingAttestationPublicKey, .invalidAttestationPublicKey,
                .missingAttestationSignature,
            ])
    }
}

extension Result {
    fileprivate var failure: Failure? {
        switch self {
        case .success: nil
        case .failure(let failure): failure
        }
    }
}
