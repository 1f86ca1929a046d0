public import EnclaveProtocol

internal import AttestedSession
internal import HostRuntime
internal import Synchronization

extension EnclaveClient {
    /// State of the enclave, by a connection of its own.
    public func health() async throws(EnclaveCallError) -> HealthAnswer {
        try await relayed { connector throws(SessionError) in
            try await connector.health(within: self.configuration.probeTimeout)
        }
    }

    /// The enclave's informative identity document, to be passed on; nothing here uses it.
    public func document() async throws(EnclaveCallError) -> DocumentAnswer {
        try await relayed { connector throws(SessionError) in
            try await connector.document(within: self.configuration.challengeTimeout)
        }
    }

    /// The enclave's answer to somebody else's challenge, to be passed on unverified.
    ///
    /// The purposes of this host's own challenges are refused as `challengeRefused`.
    public func relayChallenge(_ challenge: Challenge) async throws(EnclaveCallError) -> ChallengeAnswer {
        guard challenge.purpose != Challenge.sessionPurpose, challenge.purpose != Challenge.startupProbePurpose else {
            throw .failed(EnclaveFailure(.challengeRefused))
        }
        return try await relayed { connector throws(SessionError) in
            try await connector.answer(to: challenge, within: self.configuration.challengeTimeout)
        }
    }

    private func relayed<Answer: Sendable>(
        _ request: (EnclaveConnector) async throws(SessionError) -> Answer
    ) async throws(EnclaveCallError) -> Answer {
        guard configuration.mode != .disabled else { throw .notConfigured }
        guard relayPlaces.take() else { throw .failed(EnclaveFailure(.overloaded)) }
        defer { relayPlaces.release() }
        do throws(SessionError) {
            return try await request(relays)
        } catch {
            throw EnclaveCallError(error)
        }
    }
}

/// Bounds the plain requests that wait for the one thread that makes them.
final class RelayPlaces: Sendable {
    static let maximum = 16
    private let taken = Mutex(0)

    func take() -> Bool {
        taken.withLock { taken in
            guard taken < Self.maximum else { return false }
            taken += 1
            return true
        }
    }

    func release() { taken.withLock { $0 -= 1 } }
}
