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
    /// Reads one resource at Google.
    func getGoogle(
        user: UserID, connector: ConnectorID, resource: GoogleResource, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleGetAnswer
    /// Seals values under their purpose, owner and record.
    func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults
    /// Opens what was sealed under the same purpose, owner and record.
    func open(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults
    /// Identity of the enclave that the sessions are with.
    var attestedMeasurement: String { get async }
}

extension EnclaveClient: EnclavePort {}

extension EnclavePort {
    /// Seals one value, and says which version of the data key did it.
    func sealOne(
        _ item: DataItem, _ call: APICall, within limit: Duration? = nil
    ) async throws(APIError) -> (bytes: [UInt8], keyVersion: Int) {
        do throws(EnclaveCallError) {
            let answer = try await seal([item], context: call.enclaveContext(within: limit))
            return (try answer.only(), Int(answer.keyVersion))
        } catch {
            call.note(error, during: "data.seal")
            throw APIError(error, during: .data)
        }
    }

    /// Opens one value.
    func openOne(_ item: DataItem, _ call: APICall) async throws(APIError) -> [UInt8] {
        do throws(EnclaveCallError) {
            return try await open([item], context: call.enclaveContext).only()
        } catch {
            call.note(error, during: "data.open")
            throw APIError(error, during: .data)
        }
    }
}

extension DataResults {
    /// The only result; its own failure counts as the call's.
    func only() throws(EnclaveCallError) -> [UInt8] {
        guard results.count == 1, let result = results.first else { throw .answerInvalid }
        switch result {
        case .success(let bytes): return bytes
        case .failure(let code): throw .failed(EnclaveFailure(code))
        }
    }
}
