import AttestationVerifier
import AttestedSession
import EnclaveProtocol
import Foundation
import HostRuntime

/// Health, document and evidence of an enclave, asked for now; blocking.
struct LiveAttestation {
    /// A request of the enclave that failed.
    struct Failure: Error {
        /// Which request.
        let step: String
        let error: SessionError

        var message: String { "\(step): \(error.explanation)" }
    }

    let health: HealthAnswer
    let document: IdentityDocument?
    let challenge: Challenge
    let answer: ChallengeAnswer
    /// Unix seconds of the judgement.
    let judgedAt: UInt64
    let took: Duration
    let report: VerificationReport

    /// Asks and judges; the challenge's purpose is none of those that belong to sessions and start-up.
    init(endpoint: Endpoint, policy: AttestationPolicy, limit: Duration) throws(Failure) {
        let verifier = Verifier(policy: policy)
        health = try Self.asking("health", endpoint, limit) { connection, deadline throws(SessionError) in
            try connection.health(deadline: deadline)
        }
        let statement = try Self.asking("attestation.document", endpoint, limit) {
            connection, deadline throws(SessionError) in
            try connection.document(deadline: deadline)
        }
        document = try? IdentityDocument(decoding: statement.document)
        let challenge = verifier.challenge(
            purpose: "operator_check", requestID: UUID().lowercased, window: 60, now: unixSeconds())
        let start = ContinuousClock.now
        answer = try Self.asking("attestation.challenge", endpoint, limit) {
            connection, deadline throws(SessionError) in
            try connection.challenge(challenge, deadline: deadline)
        }
        took = start.duration(to: .now)
        self.challenge = challenge
        judgedAt = unixSeconds()
        report = verifier.report(
            on: answer, to: challenge, now: judgedAt, whileStarting: health.status == .starting)
    }

    private static func asking<Answer>(
        _ step: String, _ endpoint: Endpoint, _ limit: Duration,
        _ request: (PlainConnection, MonotonicInstant) throws(SessionError) -> Answer
    ) throws(Failure) -> Answer {
        let deadline = MonotonicInstant.now.advanced(byMilliseconds: limit.wholeMilliseconds)
        do throws(SessionError) {
            let connection = try PlainConnection(to: endpoint, deadline: deadline)
            defer { connection.close() }
            return try request(connection, deadline)
        } catch {
            throw Failure(step: step, error: error)
        }
    }
}

func unixSeconds() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) }

extension SessionError {
    /// For a person.
    var explanation: String {
        switch self {
        case .addressUnusable: "the address cannot be resolved"
        case .unreachable: "nobody answers there"
        case .timedOut: "no answer in time"
        case .closedByPeer: "the enclave closed the connection"
        case .malformed: "what answers there speaks another protocol"
        case .refused(let code): "the enclave refused: \(code.name)"
        case .handshakeFailed: "the handshake failed: another key, or somebody in between"
        case .noChallenge: "no challenge was answered on this connection"
        case .outOfResources: "this machine has no descriptor or thread left"
        }
    }
}
