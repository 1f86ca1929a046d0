internal import EnclaveProtocol
internal import FoundationEssentials
internal import Sodium

/// A file of which every member is known: a slip in a name must not leave out a rule.
protocol StrictFile: Decodable {
    /// Names that the objects in it may have, by path; an object without an entry may not be there.
    static var members: [String: [String]] { get }
}

/// One file with everything.
struct RecordedFile: Codable, StrictFile {
    static let members = ["": ["challenge", "answer", "policy"]].merging(
        [
            ("challenge", RecordedChallenge.members[""]), ("answer", RecordedAnswer.members[""]),
            ("policy", RecordedPolicy.members[""]),
        ].map { ($0, $1 ?? []) }
    ) { first, _ in first }

    let challenge: RecordedChallenge
    let answer: RecordedAnswer
    let policy: RecordedPolicy
}

/// `challenge.json`.
struct RecordedChallenge: Codable, StrictFile {
    static let members = [
        "": ["nonce", "issued_at", "expires_at", "purpose", "request_id", "outstanding", "verified_at"]
    ]

    /// 64 hex digits.
    let nonce: String
    let issued_at: UInt64
    let expires_at: UInt64
    let purpose: String
    let request_id: String
    /// False: the challenge has had its answer already.
    let outstanding: Bool
    /// Unix seconds at which the evidence is judged.
    let verified_at: UInt64

    func challenge() throws(RecordedEvidence.ReadError) -> Challenge {
        guard let nonce = Hex.decode(nonce) else { throw .malformed(part: "challenge") }
        let challenge = Challenge(
            nonce: nonce, issuedAt: issued_at, expiresAt: expires_at, purpose: purpose, requestID: request_id)
        // The wire's own rules decide what a challenge is.
        guard (try? Challenge(decoding: challenge.encoded())) == challenge else { throw .malformed(part: "challenge") }
        return challenge
    }
}

/// `answer.json`: base64 of what the enclave answered.
struct RecordedAnswer: Codable, StrictFile {
    static let members = ["": ["evidence", "signature", "nsm_document"]]

    let evidence: String
    let signature: String?
    let nsm_document: String?

    func answer() throws(RecordedEvidence.ReadError) -> ChallengeAnswer {
        ChallengeAnswer(
            evidence: try bytes(evidence), signature: try signature.map(bytes), nsmDocument: try nsm_document.map(bytes)
        )
    }

    private func bytes(_ text: String) throws(RecordedEvidence.ReadError) -> [UInt8] {
        guard let bytes = Base64.decode(text) else { throw .malformed(part: "answer") }
        return bytes
    }
}

/// `policy.json`.
struct RecordedPolicy: Codable, StrictFile {
    static let members = [
        "": [
            "required", "expected_runtime", "environment", "allowed_measurements", "kms_allowed_measurements",
            "public_keys", "maximum_age_seconds", "allow_unsigned", "nitro_root",
        ]
    ]

    let required: Bool
    let expected_runtime: String
    let environment: String
    /// `[name@]measurement`
    let allowed_measurements: [String]
    let kms_allowed_measurements: [String]
    /// Base64.
    let public_keys: [String]
    let maximum_age_seconds: UInt64
    let allow_unsigned: Bool
    /// Base64 of the DER of a test root; absent for the root of AWS.
    var nitro_root: String?

    func policy() throws(RecordedEvidence.ReadError) -> AttestationPolicy {
        let keys = public_keys.compactMap(Base64.decode)
        guard keys.count == public_keys.count else { throw .malformed(part: "policy") }
        var root = NitroRoot.aws
        if let nitro_root {
            guard let der = Base64.decode(nitro_root), let test = try? NitroRoot(testCertificate: der) else {
                throw .malformed(part: "policy")
            }
            root = test
        }
        return AttestationPolicy(
            isRequired: required, expectedRuntime: expected_runtime, environment: environment,
            allowedMeasurements: allowed_measurements.map(AcceptedMeasurement.init(entry:)),
            kmsAllowedMeasurements: kms_allowed_measurements.map(AcceptedMeasurement.init(entry:)),
            publicKeys: keys, maximumAgeSeconds: maximum_age_seconds, allowsUnsigned: allow_unsigned,
            nitroRoot: root)
    }
}

/// `expected.json`.
struct RecordedVerdict: Codable, StrictFile {
    static let members = ["": ["verdict", "identity", "reason", "check", "nitro_fault"]]

    /// `accept` or `refuse`.
    let verdict: String
    let identity: String?
    let reason: String?
    /// Number of the check that refuses, 1–8.
    let check: Int?
    /// What is wrong with a Nitro document by itself.
    var nitro_fault: String?
}

func readJSON<Value: StrictFile>(_ bytes: [UInt8], part: String) throws(RecordedEvidence.ReadError) -> Value {
    guard bytes.count <= RecordedEvidence.maximumFileBytes else { throw .tooLarge }
    guard let members = JSONMembers(bytes) else { throw .malformed(part: part) }
    try members.require(Value.members, in: part)
    guard let value = try? JSONDecoder().decode(Value.self, from: Data(bytes)) else { throw .malformed(part: part) }
    return value
}

extension JSONMembers {
    /// Refuses names that `known` does not list for their object, and a name that is there twice.
    public func require(_ known: [String: [String]], in part: String) throws(RecordedEvidence.ReadError) {
        for object in objects {
            let prefix = object.path.isEmpty ? part : "\(part).\(object.path)"
            for name in object.names where known[object.path]?.contains(name) != true {
                throw .unknownMember(part: printable(prefix), name: printable(name))
            }
        }
        if let repeated { throw .memberTwice(part: part, name: printable(repeated.name)) }
    }
}

extension AttestationPolicy {
    /// Reads a `policy.json`.
    public init(json: [UInt8]) throws(RecordedEvidence.ReadError) {
        let file: RecordedPolicy = try readJSON(json, part: "policy")
        self = try file.policy()
    }
}
