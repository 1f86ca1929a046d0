public import EnclaveProtocol
internal import Sodium

/// A set of AWS credentials that a host handed in; its secrets lie in locked memory.
///
/// They are no secret of the host, and good for nothing else: what KMS releases is decided by the attestation document.
public struct AWSCredentials: Sendable {
    /// Access key id.
    public let accessKeyID: String
    /// Secret access key.
    public let secretAccessKey: Secret
    /// Session token, nil with keys that last.
    public let sessionToken: Secret?
    /// When they expire by the host's word, in seconds since 1970.
    public let expiresAt: UInt64?

    /// Moves a message's set into locked memory.
    public init(_ message: KMSCredentials) {
        accessKeyID = message.accessKeyID
        secretAccessKey = Secret(SecretBytes(copying: message.secretAccessKey))
        sessionToken = message.sessionToken.map { Secret(SecretBytes(copying: $0)) }
        expiresAt = message.expiresAt
    }

    /// Whether `other` signs the same.
    func isSame(as other: AWSCredentials) -> Bool {
        func equal(_ left: Secret?, _ right: Secret?) -> Bool {
            guard let left, let right else { return left == nil && right == nil }
            return unsafe left.withUnsafeBytes { left in
                unsafe right.withUnsafeBytes { right in unsafe constantTimeEqual(left, right) }
            }
        }
        return accessKeyID == other.accessKeyID && equal(secretAccessKey, other.secretAccessKey)
            && equal(sessionToken, other.sessionToken)
    }
}

/// The set that KMS accepted and those on which it gave no verdict yet.
///
/// What a host says about a set decides nothing: an accepted one gives way only to one that KMS accepts.
struct CredentialSets: Sendable {
    static let maximumCandidates = 3

    private struct Candidate {
        let session: UInt64
        let credentials: AWSCredentials
        var isBeingTried: Bool
    }

    private(set) var accepted: AWSCredentials?
    private var candidates: [Candidate] = []

    /// What to sign with, in this order: the accepted set, then the youngest candidate; what has expired comes last.
    func inOrder(now: UInt64) -> [AWSCredentials] {
        let sets = (accepted.map { [$0] } ?? []) + candidates.filter { !$0.isBeingTried }.reversed().map(\.credentials)
        let isFresh: (AWSCredentials) -> Bool = { $0.expiresAt ?? .max > now }
        return sets.filter(isFresh) + sets.filter { !isFresh($0) }
    }

    /// What is to be done with a set that a session brings.
    enum Reception { case isAccepted, isBeingTried, toBeTried, noRoom }

    /// Takes in a set of `session` in place of its earlier one. One `toBeTried` is put to KMS by the caller, who tells
    /// the outcome by `accept`, `keep` or `forget`; there is no room while another one of this session, or three of
    /// others, are being tried.
    mutating func receive(_ credentials: AWSCredentials, session: UInt64) -> Reception {
        if accepted?.isSame(as: credentials) == true { return .isAccepted }
        let tried = candidates.filter(\.isBeingTried)
        if tried.contains(where: { $0.credentials.isSame(as: credentials) }) { return .isBeingTried }
        guard !tried.contains(where: { $0.session == session }) else { return .noRoom }
        candidates.removeAll { $0.session == session }
        if candidates.count == Self.maximumCandidates {
            guard let oldest = candidates.firstIndex(where: { !$0.isBeingTried }) else { return .noRoom }
            candidates.remove(at: oldest)
        }
        candidates.append(Candidate(session: session, credentials: credentials, isBeingTried: true))
        return .toBeTried
    }

    mutating func accept(_ credentials: AWSCredentials) {
        accepted = credentials
        forget(credentials)
    }

    mutating func keep(_ credentials: AWSCredentials) {
        for index in candidates.indices where candidates[index].credentials.isSame(as: credentials) {
            candidates[index].isBeingTried = false
        }
    }

    mutating func forget(_ credentials: AWSCredentials) {
        candidates.removeAll { $0.credentials.isSame(as: credentials) }
    }
}
