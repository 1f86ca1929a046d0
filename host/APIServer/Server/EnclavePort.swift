import EnclaveClient
import EnclaveProtocol

/// What the API asks of the enclave.
protocol EnclavePort: Sendable {
    /// State of the enclave, on a connection without a session.
    func health() async throws(EnclaveCallError) -> HealthAnswer
    /// The enclave's own statement about itself, passed on unjudged.
    func document() async throws(EnclaveCallError) -> DocumentAnswer
    /// The enclave's answer to somebody else's challenge, passed on unjudged.
    func relayChallenge(_ challenge: Challenge) async throws(EnclaveCallError) -> ChallengeAnswer
    /// Makes the consent URL and the sealed PKCE verifier.
    func beginGoogleConnect(
        _ request: GoogleConnectBegin, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleConnectBeginAnswer
    /// Exchanges the code and stores the sealed refresh token through the record port.
    func completeGoogleConnect(
        _ request: GoogleConnectComplete, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleConnectCompleteAnswer
    /// Revokes the grant at Google and leaves a tombstone.
    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer
    /// Seals values under their purpose, owner and record.
    func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults
    /// Identity of the enclave that the sessions are with.
    var attestedMeasurement: String { get async }
}

extension EnclaveClient: EnclavePort {}
