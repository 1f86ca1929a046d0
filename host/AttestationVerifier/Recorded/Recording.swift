public import EnclaveProtocol

internal import FoundationEssentials
internal import Sodium

/// Writes evidence in the form that `RecordedEvidence` reads.
public enum Recording {
    /// The three files of a case.
    public struct Files: Sendable {
        /// `challenge.json`
        public let challenge: [UInt8]
        /// `answer.json`
        public let answer: [UInt8]
        /// `policy.json`
        public let policy: [UInt8]
    }

    /// The files of a case that is to be judged at `now`, in unix seconds.
    public static func files(
        _ answer: ChallengeAnswer, to challenge: Challenge, by policy: AttestationPolicy, now: UInt64,
        outstanding: Bool = true
    ) -> Files {
        let file = record(answer, challenge, policy, now, outstanding)
        return Files(
            challenge: writeJSON(file.challenge), answer: writeJSON(file.answer), policy: writeJSON(file.policy))
    }

    /// The same in one file.
    public static func file(
        _ answer: ChallengeAnswer, to challenge: Challenge, by policy: AttestationPolicy, now: UInt64
    ) -> [UInt8] {
        writeJSON(record(answer, challenge, policy, now, true))
    }

    /// `expected.json` of a case that is accepted.
    public static func accepting(identity: String) -> [UInt8] {
        writeJSON(RecordedVerdict(verdict: "accept", identity: identity, reason: nil, check: nil))
    }

    /// `expected.json` of a case that is refused.
    public static func refusing(
        _ reason: AttestationReason, at check: VerificationCheck, fault: NitroFault? = nil
    ) -> [UInt8] {
        writeJSON(
            RecordedVerdict(
                verdict: "refuse", identity: nil, reason: reason.rawValue, check: check.rawValue,
                nitro_fault: fault?.rawValue))
    }

    private static func record(
        _ answer: ChallengeAnswer, _ challenge: Challenge, _ policy: AttestationPolicy, _ now: UInt64,
        _ outstanding: Bool
    ) -> RecordedFile {
        RecordedFile(
            challenge: RecordedChallenge(
                nonce: Hex.encode(challenge.nonce), issued_at: challenge.issuedAt, expires_at: challenge.expiresAt,
                purpose: challenge.purpose, request_id: challenge.requestID, outstanding: outstanding,
                verified_at: now),
            answer: RecordedAnswer(
                evidence: Base64.encode(answer.evidence), signature: answer.signature.map(Base64.encode),
                nsm_document: answer.nsmDocument.map(Base64.encode)),
            policy: RecordedPolicy(
                required: policy.isRequired, expected_runtime: policy.expectedRuntime,
                environment: policy.environment, allowed_measurements: policy.allowedMeasurements.map(\.entry),
                kms_allowed_measurements: policy.kmsAllowedMeasurements.map(\.entry),
                public_keys: policy.publicKeys.map(Base64.encode), maximum_age_seconds: policy.maximumAgeSeconds,
                allow_unsigned: policy.allowsUnsigned,
                nitro_root: policy.nitroRoot.isAWS ? nil : Base64.encode(policy.nitroRoot.certificate)))
    }

    private static func writeJSON(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return [] }
        return Array(data) + [UInt8(ascii: "\n")]
    }
}
