internal import EnclaveProtocol
internal import Sodium

/// One answer on trial: each function is one check, in the order of `VerificationCheck`.
struct EvidenceChecks {
    /// How a check ended without refusing.
    enum Outcome: Equatable {
        case passed
        case skipped(String)
    }

    let policy: AttestationPolicy
    let answer: ChallengeAnswer
    let challenge: Challenge
    let now: UInt64
    let wasOutstanding: Bool

    func report() -> VerificationReport {
        var verdicts: [(check: VerificationCheck, verdict: CheckVerdict)] = []
        do throws(AttestationRefusal) {
            let evidence = try decode()
            verdicts.append((.encoding, .passed))
            for check in VerificationCheck.allCases.dropFirst() {
                let outcome = try run(check, on: evidence)
                verdicts.append((check, outcome == .passed ? .passed : .skipped(outcome.reason)))
            }
            let enclave = VerifiedEnclave(evidence, identity: identity(of: evidence))
            return VerificationReport(checks: verdicts, result: .success(enclave))
        } catch {
            for check in VerificationCheck.allCases.dropFirst(verdicts.count) {
                verdicts.append((check, verdicts.contains(where: \.verdict.isRefusal) ? .notReached : .refused(error)))
            }
            return VerificationReport(checks: verdicts, result: .failure(error))
        }
    }

    private func run(_ check: VerificationCheck, on evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        switch check {
        case .encoding: return .passed
        case .challenge: try checkChallenge(evidence)
        case .freshness: try checkFreshness(evidence)
        case .runtime: return try checkRuntime(evidence)
        case .nitroDocument: return try checkNitroDocument()
        case .measurement: return try checkMeasurement(evidence)
        case .signature: return try checkSignature(evidence)
        case .replay: try checkReplay()
        }
        return .passed
    }

    // MARK: 1. The bytes

    private func decode() throws(AttestationRefusal) -> Evidence {
        do throws(CBORError) {
            return try Evidence(decoding: answer.evidence)
        } catch {
            throw AttestationRefusal(
                .invalidAttestationDocument, expected: Evidence.label, found: "\(answer.evidence.count) bytes: \(error)"
            )
        }
    }

    // MARK: 2. The challenge

    private func checkChallenge(_ evidence: Evidence) throws(AttestationRefusal) {
        let echo = evidence.challenge
        guard echo.nonce == challenge.nonce else {
            throw AttestationRefusal(
                .challengeNonceMismatch, expected: Hex.encode(challenge.nonce), found: Hex.encode(echo.nonce))
        }
        guard echo.requestID == challenge.requestID else {
            throw AttestationRefusal(
                .challengeRequestIDMismatch, expected: challenge.requestID, found: echo.requestID)
        }
        guard echo.purpose == challenge.purpose else {
            throw AttestationRefusal(.challengePurposeMismatch, expected: challenge.purpose, found: echo.purpose)
        }
        guard echo.issuedAt == challenge.issuedAt, echo.expiresAt == challenge.expiresAt,
            challenge.expiresAt > challenge.issuedAt
        else {
            throw AttestationRefusal(
                .invalidChallengeWindow, expected: "\(challenge.issuedAt) to \(challenge.expiresAt)",
                found: "\(echo.issuedAt) to \(echo.expiresAt)")
        }
    }

    // MARK: 3. Time

    private func checkFreshness(_ evidence: Evidence) throws(AttestationRefusal) {
        let leeway = Limits.clockLeewaySeconds
        guard (challenge.issuedAt...challenge.expiresAt).contains(now) else {
            throw AttestationRefusal(
                .challengeExpired, expected: "\(challenge.issuedAt) to \(challenge.expiresAt)", found: "\(now)")
        }
        let earliest = challenge.issuedAt.subtractingClamped(leeway)
        let latest = challenge.expiresAt.addingClamped(leeway)
        guard (earliest...latest).contains(evidence.issuedAt) else {
            throw AttestationRefusal(
                .evidenceNotBoundToChallengeWindow, expected: "\(earliest) to \(latest)",
                found: "\(evidence.issuedAt)")
        }
        let oldest = now.subtractingClamped(policy.maximumAgeSeconds.addingClamped(leeway))
        guard evidence.issuedAt >= oldest else {
            throw AttestationRefusal(
                .staleAttestation, expected: "\(oldest) or later", found: "\(evidence.issuedAt)")
        }
    }

    // MARK: 4. Runtime and environment

    private func checkRuntime(_ evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        guard evidence.runtime.lowercased() == policy.expectedRuntime.lowercased() else {
            throw AttestationRefusal(.runtimeMismatch, expected: policy.expectedRuntime, found: evidence.runtime)
        }
        guard evidence.environment == policy.environment else {
            throw AttestationRefusal(
                .runtimeMismatch, expected: "environment \(policy.environment)",
                found: "environment \(evidence.environment)")
        }
        return .passed
    }

    // MARK: 5. Nitro

    /// A document is refused here, present or required: this verifier knows software evidence only.
    private func checkNitroDocument() throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        if answer.nsmDocument != nil {
            throw AttestationRefusal(
                .nitroDocumentInvalid, expected: "no document: this release cannot judge one", found: "a document")
        }
        guard policy.isLocal else {
            throw AttestationRefusal(.missingNitroDocument, expected: "a document outside local", found: "none")
        }
        return .skipped("software evidence, accepted in local only")
    }

    // MARK: 6. Measurement

    private func checkMeasurement(_ evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        guard entry(for: evidence) != nil else {
            throw AttestationRefusal(
                .measurementNotAllowed, expected: list(policy.allowedMeasurements), found: evidence.measurement)
        }
        guard policy.kmsAllowedMeasurements.contains(where: { $0.measurement == evidence.measurement }) else {
            throw AttestationRefusal(
                .kmsPolicyDenied, expected: list(policy.kmsAllowedMeasurements), found: evidence.measurement)
        }
        return .passed
    }

    private func entry(for evidence: Evidence) -> AcceptedMeasurement? {
        policy.allowedMeasurements.first { $0.measurement == evidence.measurement }
    }

    private func identity(of evidence: Evidence) -> String {
        guard policy.isEnforced else { return VerifiedEnclave.unenforcedIdentity }
        return entry(for: evidence)?.name ?? evidence.measurement
    }

    private func list(_ entries: [AcceptedMeasurement]) -> String { entries.map(\.measurement).joined(separator: ", ") }

    // MARK: 7. Signature

    private func checkSignature(_ evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        guard policy.needsSignature else { return .skipped("insecure development attestation is allowed") }
        guard !policy.publicKeys.isEmpty else {
            throw AttestationRefusal(.missingAttestationPublicKey, expected: "a configured key", found: "none")
        }
        guard policy.publicKeys.allSatisfy({ $0.count == Ed25519.publicKeyBytes }) else {
            throw AttestationRefusal(.invalidAttestationPublicKey, expected: "keys of 32 bytes")
        }
        guard let signature = answer.signature else {
            throw AttestationRefusal(.missingAttestationSignature, expected: "a signature", found: "none")
        }
        let signer = policy.publicKeys.first { key in
            Ed25519.verify(signature: signature, message: answer.evidence, publicKey: key)
        }
        guard let signer, signer == evidence.signingKey else {
            throw AttestationRefusal(
                .invalidAttestationSignature,
                expected: policy.publicKeys.map(Base64.encode).joined(separator: ", "),
                found: evidence.signingKey.map(Base64.encode) ?? "no key stated")
        }
        return .passed
    }

    // MARK: 8. Replay

    private func checkReplay() throws(AttestationRefusal) {
        guard wasOutstanding else {
            throw AttestationRefusal(
                .challengeReplayDetected, expected: "a challenge without an answer",
                found: "answered before, or unknown")
        }
    }
}

extension EvidenceChecks.Outcome {
    static let notRequired = Self.skipped("attestation is not required")

    var reason: String {
        switch self {
        case .passed: ""
        case .skipped(let reason): reason
        }
    }
}

extension CheckVerdict {
    var isRefusal: Bool {
        switch self {
        case .refused: true
        default: false
        }
    }
}

extension UInt64 {
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    func subtractingClamped(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
