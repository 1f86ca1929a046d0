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

    /// The verdict of each check, at the recorded time.
    public func report() throws(ReadError) -> VerificationReport {
        let challenge = try self.challenge.challenge()
        let verifier = Verifier(policy: try policy.policy())
        if self.challenge.outstanding { verifier.expect(challenge, now: self.challenge.verified_at) }
        return verifier.report(on: try answer.answer(), to: challenge, now: self.challenge.verified_at)
    }

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
            return refusal.reason == reason && refused == check && refusal.nitroFault == nitroFault
        }
    }
}
