public import EnclaveClient
public import EnclaveProtocol
import HostRuntime
import HostStorage

/// What erasing users and keeping grants alive asks of the enclave.
public protocol PrivacyEnclave: Sendable {
    /// Whether calls can be made now.
    var isAvailable: Bool { get }
    /// Identity of the enclave that the sessions are with.
    var attestedMeasurement: String { get }
    /// Revokes the grant at Google and leaves a tombstone.
    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer
    /// Uses the grant once.
    func refreshGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRefreshAnswer
    /// Drops the user's cached access tokens.
    func forget(user: UserID, context: CallContext) async throws(EnclaveCallError)
}

extension EnclaveClient: PrivacyEnclave {}
