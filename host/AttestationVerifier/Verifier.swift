public import EnclaveProtocol
internal import Sodium

/// Judges evidence by a policy and keeps the challenges that are outstanding.
///
/// One verifier serves a whole process; the checks are in `EvidenceChecks`, in reading order.
public final class Verifier: Sendable {
    /// What evidence must satisfy.
    public let policy: AttestationPolicy
    private let outstanding = ChallengeRegister()

    /// A verifier with no challenge outstanding.
    public init(policy: AttestationPolicy) { self.policy = policy }

    /// Makes a challenge with a fresh nonce; it stays outstanding until its first answer.
    ///
    /// `window` is the number of seconds until it expires, never more than the policy's maximum age; `now` is unix seconds.
    public func challenge(purpose: String, requestID: String, window: UInt64? = nil, now: UInt64) -> Challenge {
        let window = min(window ?? policy.maximumAgeSeconds, policy.maximumAgeSeconds)
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: now, expiresAt: now + max(window, 1), purpose: purpose,
            requestID: requestID)
        outstanding.add(challenge, now: now)
        return challenge
    }

    /// Takes a challenge that was made elsewhere as outstanding: for recorded evidence.
    public func expect(_ challenge: Challenge, now: UInt64) { outstanding.add(challenge, now: now) }

    /// Forgets a challenge whose answer will not come.
    public func abandon(_ challenge: Challenge) { _ = outstanding.consume(challenge) }

    /// The enclave behind `answer`, if every check passes at `now` (unix seconds); uses the challenge up either way.
    public func verify(
        answer: ChallengeAnswer, to challenge: Challenge, now: UInt64
    ) throws(AttestationRefusal) -> VerifiedEnclave {
        try report(on: answer, to: challenge, now: now).result.get()
    }

    /// The same with the verdict of each check.
    public func report(on answer: ChallengeAnswer, to challenge: Challenge, now: UInt64) -> VerificationReport {
        let checks = EvidenceChecks(
            policy: policy, answer: answer, challenge: challenge, now: now,
            wasOutstanding: outstanding.consume(challenge))
        return checks.report()
    }
}
