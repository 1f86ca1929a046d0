public import AttestedSession
public import EnclaveProtocol
internal import Sodium
internal import Synchronization

/// What the enclave answers before a session exists: health, its identity, and evidence for a challenge.
public final class PlainService: PlainHandler {
    private struct State {
        var document: (answer: DocumentAnswer, validUntil: MonotonicInstant)?
    }

    private let configuration: EnclaveConfiguration
    private let evidence: any EvidenceSource
    private let lifecycle: Lifecycle
    private let sessionKey: [UInt8]
    private let started = MonotonicInstant.now
    private let state = Mutex(State())

    /// A service that states `sessionKey`, the public half of the listener's key.
    init(
        _ configuration: EnclaveConfiguration, evidence: any EvidenceSource, lifecycle: Lifecycle, sessionKey: [UInt8]
    ) {
        self.configuration = configuration
        self.evidence = evidence
        self.lifecycle = lifecycle
        self.sessionKey = sessionKey
    }

    public func health() -> HealthAnswer {
        HealthAnswer(
            status: lifecycle.status, environment: configuration.environment.rawValue,
            mode: configuration.mode.rawValue,
            uptimeSeconds: UInt64(MonotonicInstant.now.milliseconds(after: started) / 1000))
    }

    public func document() throws(EnclaveFailure) -> DocumentAnswer {
        let now = MonotonicInstant.now
        if let known = state.withLock({ $0.document }), known.validUntil > now { return known.answer }
        let signer = evidence.signer
        let bytes = IdentityDocument(
            runtime: evidence.runtime, environment: configuration.environment.rawValue,
            measurement: evidence.measurement, mode: configuration.mode.rawValue, issuedAt: wallClock(),
            sessionKey: sessionKey, signingKey: signer?.publicKey
        ).encoded()
        let answer = DocumentAnswer(
            document: bytes, signature: signer?.sign(bytes),
            nsmDocument: try nitroDocument(nonce: Random.bytes(32), over: bytes))
        state.withLock { $0.document = (answer, now.advanced(bySeconds: Limits.documentLifeSeconds)) }
        return answer
    }

    public func answer(_ challenge: Challenge) throws(EnclaveFailure) -> ChallengeAnswer {
        let now = wallClock()
        guard challenge.expiresAt - challenge.issuedAt <= UInt64(configuration.maximumAgeSeconds),
            challenge.issuedAt <= now + Limits.challengeLeadSeconds,
            now <= challenge.expiresAt.addingReportingOverflow(Limits.clockLeewaySeconds).partialValue
        else { throw EnclaveFailure(.challengeRefused) }
        // Taken once: it changes when the enclave leaves `starting`.
        let signer = evidence.signer
        let bytes = Evidence(
            runtime: evidence.runtime, environment: configuration.environment.rawValue,
            measurement: evidence.measurement, challenge: challenge, issuedAt: now, random: Random.bytes(32),
            sessionKey: sessionKey, signingKey: signer?.publicKey
        ).encoded()
        return ChallengeAnswer(
            evidence: bytes, signature: signer?.sign(bytes),
            nsmDocument: try nitroDocument(nonce: challenge.nonce, over: bytes))
    }

    public func role(of hostKey: [UInt8]) -> Role? { configuration.clients[hostKey] }

    public func willOpen(role: Role) -> Bool { lifecycle.status != .draining }

    private func nitroDocument(nonce: [UInt8], over bytes: [UInt8]) throws(EnclaveFailure) -> [UInt8]? {
        do throws(EvidenceError) {
            return try evidence.attestationDocument(nonce: nonce, userData: Hash.sha512(bytes))
        } catch {
            throw EnclaveFailure(.internalFailure)
        }
    }
}
