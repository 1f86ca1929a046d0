public import EnclaveProtocol
internal import Sodium

/// Judges evidence by a policy and keeps the challenges that are outstanding.
///
/// One verifier serves a whole process; the checks are in `EvidenceChecks`, in reading order.
public final class Verifier: Sendable {
    /// What evidence must satisfy.
    public let policy: AttestationPolicy
    private let outstanding = ChallengeRegister()
    private let chainVerifier: NitroChainVerifier

    /// A verifier with no challenge outstanding.
    public init(policy: AttestationPolicy) {
        self.policy = policy
        chainVerifier = NitroChainVerifier(root: policy.trustedRoot)
    }

    /// P-384 signatures that were checked since the beginning: each costs most of a millisecond.
    public var signatureChecks: Int { chainVerifier.signatureChecks }

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
    ///
    /// An enclave that says `starting` has no configured key yet: with `whileStarting`, a Nitro document is enough for
    /// the key that the evidence states. See `VerifiedEnclave.proof`.
    public func verify(
        answer: ChallengeAnswer, to challenge: Challenge, now: UInt64, whileStarting: Bool = false
    ) throws(AttestationRefusal) -> VerifiedEnclave {
        try report(on: answer, to: challenge, now: now, whileStarting: whileStarting).result.get()
    }

    /// The same with the verdict of each check.
    public func report(
        on answer: ChallengeAnswer, to challenge: Challenge, now: UInt64, whileStarting: Bool = false
    ) -> VerificationReport {
        var checks = EvidenceChecks(
            policy: policy, answer: answer, challenge: challenge, now: now,
            wasOutstanding: outstanding.consume(challenge), isStarting: whileStarting, chainVerifier: chainVerifier)
        return checks.report()
    }
}
