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
    let isStarting: Bool
    let chainVerifier: NitroChainVerifier

    /// Set by check 5 where there is a Nitro document.
    var nitroDocument: NitroDocument?
    var nitroChecks: [(check: NitroCheck, verdict: CheckVerdict)] = []
    /// Set by check 7.
    var proof = VerifiedEnclave.Proof.nothing

    mutating func report() -> VerificationReport {
        var verdicts: [(check: VerificationCheck, verdict: CheckVerdict)] = []
        do throws(AttestationRefusal) {
            let evidence = try decode()
            verdicts.append((.encoding, .passed))
            for check in VerificationCheck.allCases.dropFirst() {
                let outcome = try run(check, on: evidence)
                verdicts.append((check, outcome == .passed ? .passed : .skipped(outcome.reason)))
            }
            let enclave = VerifiedEnclave(evidence, identity: identity(of: evidence), proof: proof)
            return VerificationReport(checks: verdicts, nitroChecks: nitroChecks, result: .success(enclave))
        } catch {
            for check in VerificationCheck.allCases.dropFirst(verdicts.count) {
                verdicts.append((check, verdicts.contains(where: \.verdict.isRefusal) ? .notReached : .refused(error)))
            }
            return VerificationReport(checks: verdicts, nitroChecks: nitroChecks, result: .failure(error))
        }
    }

    private mutating func run(_ check: VerificationCheck, on evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        switch check {
        case .encoding: return .passed
        case .challenge: try checkChallenge(evidence)
        case .freshness: try checkFreshness(evidence)
        case .runtime: return try checkRuntime(evidence)
        case .nitroDocument: return try checkNitroDocument(evidence)
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
