internal import EnclaveProtocol
internal import FoundationEssentials

/// Evidence kept in files, with the challenge it answers, the policy to judge it by, and the time of judgement.
///
/// It proves nothing about the present: freshness is judged at the recorded time.
public struct RecordedEvidence: Sendable {
    /// Largest file that is read, in bytes.
    public static let maximumFileBytes = 256 * 1024

    /// Why a record cannot be read.
    public enum ReadError: Error, Equatable, Sendable {
        case tooLarge
        /// There is nothing to read.
        case missing(part: String)
        /// Nothing is in it.
        case empty(part: String)
        /// A name that has no meaning, so that what it was to rule would go unjudged.
        case unknownMember(part: String, name: String)
        /// A name that is there twice.
        case memberTwice(part: String, name: String)
        /// Not JSON of the documented form; names the part, not the value.
        case malformed(part: String)
    }

    private let challenge: RecordedChallenge
    private let answer: RecordedAnswer
    private let policy: RecordedPolicy

    /// Reads the three files of a case folder.
    public init(challenge: [UInt8], answer: [UInt8], policy: [UInt8]) throws(ReadError) {
        self.challenge = try readJSON(challenge, part: "challenge")
        self.answer = try readJSON(answer, part: "answer")
        self.policy = try readJSON(policy, part: "policy")
    }

    /// Reads one file with the members `challenge`, `answer` and `policy`.
    public init(json: [UInt8]) throws(ReadError) {
        let file: RecordedFile = try readJSON(json, part: "file")
        challenge = file.challenge
        answer = file.answer
        policy = file.policy
    }

    /// What is judged otherwise than recorded; nil: as recorded.
    public struct Overrides: Sendable {
        /// Unix seconds at which it is judged.
        public var time: UInt64?
        /// Nonce that must have been asked with, 32 bytes.
        public var nonce: [UInt8]?
        /// `policy.json`
        public var policy: [UInt8]?
        /// Measurements accepted, for the key management too.
        public var measurements: [AcceptedMeasurement]?
        /// Root of Nitro documents; counts in local only.
        public var root: NitroRoot?

        /// As recorded.
        public init() {}
    }

    /// The verdict of each check, at the recorded time.
    public func report(overriding overrides: Overrides = Overrides()) throws(ReadError) -> VerificationReport {
        let now = overrides.time ?? self.challenge.verified_at
        let recorded = try self.challenge.challenge()
        let challenge = Challenge(
            nonce: overrides.nonce ?? recorded.nonce, issuedAt: recorded.issuedAt, expiresAt: recorded.expiresAt,
            purpose: recorded.purpose, requestID: recorded.requestID)
        let verifier = Verifier(policy: try policy(overrides))
        if self.challenge.outstanding { verifier.expect(challenge, now: now) }
        return verifier.report(on: try answer.answer(), to: challenge, now: now)
    }

    /// The policy it is judged by.
    public func policy(_ overrides: Overrides = Overrides()) throws(ReadError) -> AttestationPolicy {
        let file: RecordedPolicy =
            try overrides.policy.map { bytes throws(ReadError) in
                try readJSON(bytes, part: "policy")
            } ?? policy
        var policy = try file.policy()
        if let measurements = overrides.measurements {
            policy.allowedMeasurements = measurements
            policy.kmsAllowedMeasurements = measurements
        }
        if let root = overrides.root { policy.nitroRoot = root }
        return policy
    }

    /// Unix seconds at which it was judged.
    public var recordedTime: UInt64 { challenge.verified_at }

    /// The Nitro document in the answer, if there is one.
    public var nitroDocument: [UInt8]? { try? answer.answer().nsmDocument }

    /// The decoded statement as lines of `name: value`, or nil where the evidence does not decode.
    public func statement() -> [(name: String, value: String)]? {
        guard let answer = try? answer.answer(), let evidence = try? Evidence(decoding: answer.evidence) else {
            return nil
        }
        return evidence.fields + [
            ("signature", answer.signature == nil ? "none" : "64 bytes"),
            ("nsm_document", answer.nsmDocument.map { "\($0.count) bytes" } ?? "none"),
        ]
    }
}

/// What `expected.json` of a case folder demands of the verdict.
public struct ExpectedVerdict: Sendable, Equatable {
    /// Identity on accept, nil on refusal.
    public let identity: String?
    /// Reason on refusal, nil on accept.
    public let reason: AttestationReason?
    /// Check that refuses.
    public let check: VerificationCheck?
    /// Fault of a Nitro document, where one is demanded.
    public let nitroFault: NitroFault?

    /// Reads `expected.json`.
    public init(json: [UInt8]) throws(RecordedEvidence.ReadError) {
        let file: RecordedVerdict = try readJSON(json, part: "expected")
        nitroFault = file.nitro_fault.flatMap(NitroFault.init)
        guard (nitroFault == nil) == (file.nitro_fault == nil) else { throw .malformed(part: "expected") }
        switch (file.verdict, file.identity, file.reason.flatMap(AttestationReason.init), file.check) {
        case ("accept", let identity?, nil, nil) where file.reason == nil:
            self.identity = identity
            reason = nil
            check = nil
        case ("refuse", nil, let reason?, let number?):
            guard let check = VerificationCheck(rawValue: number) else { throw .malformed(part: "expected") }
            identity = nil
            self.reason = reason
            self.check = check
        default: throw .malformed(part: "expected")
        }
    }

    /// Whether `report` ends as demanded.
    public func matches(_ report: VerificationReport) -> Bool {
        switch report.result {
        case .success(let enclave): return enclave.identity == identity
        case .failure(let refusal):
            let refused = report.checks.first { $0.verdict.isRefusal }?.check
            return refusal.reason == reason && refused == check
                && refusal.nitroFault == (nitroFault ?? refusal.nitroFault)
        }
    }
}
