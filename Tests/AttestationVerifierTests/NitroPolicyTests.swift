import AttestationVerifier
import EnclaveProtocol
import SimulatedNitro
import Sodium
import Testing

/// Evidence with a Nitro document, judged by the whole checklist.
@Suite struct NitroPolicyTests {
    private static let now = NitroStage.now

    /// One answer, open to be wrong.
    private struct Trial {
        var policy: AttestationPolicy
        var measurement = NitroStage.measurement
        var environment = "local"
        var statedKey: [UInt8]? = TestEnclave.publicKey
        var signs = true
        var nonce: [UInt8]?
        var userData: [UInt8]?
        var change: (inout DocumentDraft) -> Void = { _ in }
        var judgedAfter: UInt64 = 0
        var isStarting = false

        init() throws {
            policy = AttestationPolicy(
                expectedRuntime: "nitro", environment: "local",
                allowedMeasurements: [AcceptedMeasurement(name: "release-7", NitroStage.measurement)],
                publicKeys: [TestEnclave.publicKey], maximumAgeSeconds: 300, nitroRoot: try NitroStage.root())
        }

        func report() -> VerificationReport {
            let verifier = Verifier(policy: policy)
            let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: now)
            let evidence = Evidence(
                runtime: "nitro", environment: environment, measurement: measurement, challenge: challenge,
                issuedAt: now, random: [UInt8](repeating: 1, count: 32),
                sessionKey: [UInt8](repeating: 9, count: 32), signingKey: statedKey
            ).encoded()
            let document = NitroStage.document(
                at: now, nonce: nonce ?? challenge.nonce, userData: userData ?? Hash.sha512(evidence), change)
            let answer = ChallengeAnswer(
                evidence: evidence, signature: signs ? TestEnclave.key()?.sign(evidence) : nil, nsmDocument: document)
            return verifier.report(
                on: answer, to: challenge, now: now + judgedAfter, whileStarting: isStarting)
        }

        var refusal: AttestationRefusal? {
            guard case .failure(let refusal) = report().result else { return nil }
            return refusal
        }
    }

    private func reason(_ change: (inout Trial) throws -> Void) throws -> AttestationReason? {
        var trial = try Trial()
        try change(&trial)
        return trial.refusal?.reason
    }

    @Test func acceptsARelease() throws {
        let report = try Trial().report()
        let enclave = try report.result.get()
        #expect(enclave.identity == "release-7")
        #expect(enclave.measurement == NitroStage.measurement)
        #expect(enclave.proof == .configuredKey)
        #expect(report.nitroChecks.map(\.verdict) == [CheckVerdict](repeating: .passed, count: 9))
    }

    // MARK: The document belongs to this answer

    @Test func refusesADocumentThatIsNotBoundToThisAnswer() throws {
        #expect(try reason { $0.nonce = [1] } == .evidenceKeyMismatch)
        #expect(try reason { $0.change = { $0.nonce = nil } } == .evidenceKeyMismatch)
        #expect(try reason { $0.userData = [1] } == .evidenceKeyMismatch)
        #expect(try reason { $0.change = { $0.userData = nil } } == .evidenceKeyMismatch)
        #expect(try reason { $0.change = { $0.publicKey = [] } } == .evidenceKeyMismatch)
        #expect(try reason { $0.userData = Array("alfred-kms/1".utf8) } == .evidenceKeyMismatch)
    }

    @Test func refusesEvidenceThatStatesAnotherMeasurementThanTheDocument() throws {
        var trial = try Trial()
        trial.measurement = "dev-local-enclave"
        #expect(trial.refusal?.reason == .evidenceKeyMismatch)
        trial.measurement = NitroStage.measurement.replacing("pcr1=", with: "pcr1=00").prefix(301) + ""
        #expect(trial.refusal?.reason == .evidenceKeyMismatch)
        trial.measurement = NitroStage.measurement + "+pcr3=" + String(repeating: "ab", count: 48)
        #expect(trial.refusal?.reason == .evidenceKeyMismatch)
        #expect(trial.refusal?.register == 3)
    }

    @Test func saysWhyADocumentOrItsChainIsRefused() throws {
        var trial = try Trial()
        trial.change = { $0.signer = CurveKey(seed: "other") }
        #expect(trial.refusal?.reason == .nitroDocumentInvalid)
        #expect(trial.refusal?.nitroFault == .documentSignature)
        trial.change = { $0.cabundle.remove(at: 2) }
        #expect(trial.refusal?.reason == .certificateChainInvalid)
        #expect(trial.refusal?.nitroFault == .nameChaining)
        #expect(trial.refusal?.place == "cabundle[2]")
    }

    @Test(arguments: [(299 as UInt64, nil), (301, .challengeExpired)] as [(UInt64, AttestationReason?)])
    func judgesFreshness(_ seconds: UInt64, expected: AttestationReason?) throws {
        #expect(try reason { $0.judgedAfter = seconds } == expected)
    }

    @Test func refusesAnOldDocumentUnderFreshEvidence() throws {
        let old: (inout DocumentDraft) -> Void = { draft in
            let chain = NitroStage.pki.chain(moduleID: NitroStage.moduleID, at: NitroStage.now - 3600)
            draft.timestamp = (NitroStage.now - 3600) * 1000
            draft.certificate = chain.leaf
            draft.cabundle = chain.cabundle
            draft.signer = chain.leafKey
        }
        #expect(try reason { $0.change = old } == .staleAttestation)
    }

    // MARK: Releases

    @Test func comparesEveryRegisterThatAnEntryNames() throws {
        let role = "+pcr3=" + Hex.encode(NitroStage.registers[3])
        #expect(try reason { $0.policy.allow(NitroStage.measurement + role) } == nil)
        var trial = try Trial()
        trial.policy.allow(NitroStage.measurement + "+pcr3=" + String(repeating: "ab", count: 48))
        #expect(trial.refusal?.reason == .measurementNotAllowed)
        #expect(trial.refusal?.register == 3)
        #expect(trial.refusal?.found == Hex.encode(NitroStage.registers[3]))
        trial.policy.allow(NitroStage.measurement + "+pcr16=" + String(repeating: "ab", count: 48))
        #expect(trial.refusal?.register == 16)
        #expect(trial.refusal?.found == "the register is not in the document")
    }

    @Test func refusesAnEmptyPolicyAndEntriesThatNameNoRegisters() throws {
        #expect(try reason { $0.policy.allowedMeasurements = [] } == .measurementNotAllowed)
        #expect(try reason { $0.policy.kmsAllowedMeasurements = [] } == .kmsPolicyDenied)
        #expect(try reason { $0.policy.allow("dev-local-enclave") } == .measurementNotAllowed)
    }

    @Test func refusesAnImageOutsideTheKeysReleases() throws {
        var trial = try Trial()
        trial.policy.kmsAllowedMeasurements = [
            AcceptedMeasurement(NitroStage.measurement.replacing("pcr2=", with: "pcr2=ffff").dropLast(4) + "")
        ]
        #expect(trial.refusal?.reason == .kmsPolicyDenied)
        #expect(trial.refusal?.register == 2)
    }

    @Test(arguments: 0...2) func refusesDebugModeWhateverThePolicySays(_ register: Int) throws {
        var trial = try Trial()
        trial.change = { $0.registers[register].value = Registers.zero }
        trial.policy.allow(
            NitroStage.measurement.replacing(
                Hex.encode(NitroStage.registers[register]), with: String(repeating: "0", count: 96)))
        #expect(trial.refusal?.reason == .debugEnclaveRefused)
        #expect(trial.refusal?.register == register)
    }

    // MARK: Keys

    @Test func acceptsTheCommittedKeyWhereNoneIsConfigured() throws {
        var trial = try Trial()
        trial.policy.publicKeys = []
        #expect(try trial.report().result.get().proof == .nitroDocument)
        trial.signs = false
        #expect(trial.refusal?.reason == .missingAttestationSignature)
        trial.statedKey = nil
        #expect(trial.refusal?.reason == .missingAttestationPublicKey)
        trial.statedKey = TestEnclave.key(8)?.publicKey
        trial.signs = true
        #expect(trial.refusal?.reason == .invalidAttestationSignature)
    }

    @Test func acceptsTheBootKeyOnlyWhileStarting() throws {
        var trial = try Trial()
        trial.policy.publicKeys = [TestEnclave.key(8)?.publicKey ?? []]
        #expect(trial.refusal?.reason == .invalidAttestationSignature)
        trial.isStarting = true
        #expect(try trial.report().result.get().proof == .nitroDocument)
    }

    @Test func startingIsNoExcuseWithoutADocument() {
        let verifier = Verifier(policy: .local)
        let challenge = verifier.challenge(purpose: "session", requestID: "req-1", now: 1_000_100)
        var enclave = TestEnclave()
        enclave.statedKey = TestEnclave.key(8)?.publicKey
        let report = verifier.report(
            on: enclave.answer(to: challenge), to: challenge, now: 1_000_100, whileStarting: true)
        guard case .failure(let refusal) = report.result else {
            Issue.record("accepted without a document")
            return
        }
        #expect(refusal.reason == .invalidAttestationSignature)
    }

    // MARK: Outside local

    @Test func aTestRootCountsInLocalOnly() throws {
        var trial = try Trial()
        trial.environment = "production"
        trial.policy.environment = "production"
        #expect(trial.refusal?.reason == .certificateChainInvalid)
        #expect(trial.refusal?.nitroFault == .rootNotPinned)
    }
}

extension AttestationPolicy {
    fileprivate mutating func allow(_ measurement: String) {
        allowedMeasurements = [AcceptedMeasurement(measurement)]
        kmsAllowedMeasurements = allowedMeasurements
    }
}
