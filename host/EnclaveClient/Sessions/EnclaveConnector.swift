internal import AttestationVerifier
internal import AttestedSession
internal import EnclaveProtocol
internal import Foundation
internal import HostRuntime

/// Why a connection or session could not be made, and at which step.
struct ConnectFailure: Error, Equatable {
    let step: ProbeStep
    let error: EnclaveCallError
    /// Where evidence was refused: what was expected and found.
    let refusal: AttestationRefusal?
    /// What the connection says.
    let cause: SessionError?

    init(_ step: ProbeStep, _ cause: SessionError) {
        self.step = step
        self.cause = cause
        error = EnclaveCallError(cause)
        refusal = nil
    }

    init(_ refusal: AttestationRefusal) {
        step = .challenge
        error = EnclaveCallError(refusal)
        self.refusal = refusal
        cause = nil
    }

    /// What a person should know beside the error's name; printable, no secret.
    var detail: String? {
        guard let refusal else { return cause.map { "\($0)" } }
        let expected = refusal.expected.map { ", expected \($0)" } ?? ""
        let found = refusal.found.map { ", found \($0)" } ?? ""
        return "\(refusal.reason.rawValue)\(expected)\(found)"
    }
}

/// A session together with what its evidence proved.
struct OpenedSession: Sendable {
    let session: Session
    let enclave: VerifiedEnclave
}

/// Makes connections to the enclave; they block, so this actor runs on a thread of its own.
actor EnclaveConnector {
    private let thread: BlockingThread
    private let configuration: EnclaveClientConfiguration
    private let hostKey: HostKey
    private let verifier: Verifier

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    init(name: String, configuration: EnclaveClientConfiguration, hostKey: HostKey, verifier: Verifier) {
        thread = BlockingThread(name: name)
        self.configuration = configuration
        self.hostKey = hostKey
        self.verifier = verifier
    }

    // MARK: Plain requests, each on a connection of its own

    func health(within limit: Duration) throws(SessionError) -> HealthAnswer {
        try plain(within: limit) { connection, deadline throws(SessionError) in
            try connection.health(deadline: deadline)
        }
    }

    func document(within limit: Duration) throws(SessionError) -> DocumentAnswer {
        try plain(within: limit) { connection, deadline throws(SessionError) in
            try connection.document(deadline: deadline)
        }
    }

    func answer(to challenge: Challenge, within limit: Duration) throws(SessionError) -> ChallengeAnswer {
        try plain(within: limit) { connection, deadline throws(SessionError) in
            try connection.challenge(challenge, deadline: deadline)
        }
    }

    private func plain<Answer>(
        within limit: Duration, _ request: (PlainConnection, MonotonicInstant) throws(SessionError) -> Answer
    ) throws(SessionError) -> Answer {
        let deadline = MonotonicInstant.now.advanced(byMilliseconds: limit.wholeMilliseconds)
        let connection = try PlainConnection(to: configuration.endpoint, deadline: deadline)
        defer { connection.close() }
        return try request(connection, deadline)
    }

    // MARK: Evidence and sessions

    /// Asks for evidence with a fresh challenge and verifies it.
    func verifiedEnclave(purpose: String, window: UInt64, within limit: Duration) throws(ConnectFailure)
        -> VerifiedEnclave
    {
        let challenge = newChallenge(purpose: purpose, window: window)
        let answer: ChallengeAnswer
        do throws(SessionError) {
            answer = try self.answer(to: challenge, within: limit)
        } catch {
            verifier.abandon(challenge)
            throw ConnectFailure(.challenge, error)
        }
        return try verify(answer, to: challenge)
    }

    /// Opens a session with an enclave whose evidence satisfies the policy; any doubt ends the connection.
    ///
    /// `whileStarting`: its configured key is not open yet, so the key that its Nitro document commits to is taken. Such
    /// a session is for `kms.credentials` alone.
    func openSession(
        handler: any CallHandler, whileStarting: Bool = false, within limit: Duration
    ) throws(ConnectFailure) -> OpenedSession {
        let deadline = MonotonicInstant.now.advanced(byMilliseconds: limit.wholeMilliseconds)
        let challenge = newChallenge(purpose: Challenge.sessionPurpose, window: configuration.policy.maximumAgeSeconds)
        let connection: PlainConnection
        let answer: ChallengeAnswer
        do throws(SessionError) {
            connection = try PlainConnection(to: configuration.endpoint, deadline: deadline)
            answer = try connection.challenge(challenge, deadline: deadline)
        } catch {
            verifier.abandon(challenge)
            throw ConnectFailure(.challenge, error)
        }
        let enclave: VerifiedEnclave
        do throws(ConnectFailure) {
            enclave = try verify(answer, to: challenge, whileStarting: whileStarting)
        } catch {
            connection.close()
            throw error
        }
        do throws(SessionError) {
            let session = try connection.openSession(
                hostKey: hostKey.key, enclaveKey: enclave.sessionKey, handler: handler,
                maximumAge: Int(configuration.policy.maximumAgeSeconds), deadline: deadline)
            return OpenedSession(session: session, enclave: enclave)
        } catch {
            connection.close()
            throw ConnectFailure(.session, error)
        }
    }

    private func newChallenge(purpose: String, window: UInt64) -> Challenge {
        verifier.challenge(
            purpose: purpose, requestID: UUID().uuidString.lowercased(), window: window, now: unixSeconds())
    }

    private func verify(
        _ answer: ChallengeAnswer, to challenge: Challenge, whileStarting: Bool = false
    ) throws(ConnectFailure) -> VerifiedEnclave {
        do throws(AttestationRefusal) {
            return try verifier.verify(
                answer: answer, to: challenge, now: unixSeconds(), whileStarting: whileStarting)
        } catch {
            throw ConnectFailure(error)
        }
    }
}

/// The wall clock; evidence and challenges carry its time.
func unixSeconds() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) }
