public import EnclaveClient
public import EnclaveProtocol
import FoundationEssentials
import HostRuntime
import HostStorage

/// What the worker asks of the enclave.
public protocol WorkerEnclave: Sendable {
    /// Whether calls can be made now.
    var isAvailable: Bool { get }
    /// Identity of the enclave that the sessions are with.
    var attestedMeasurement: String { get }
    /// Reads one resource at Google; the token stays in the enclave.
    func getGoogle(
        user: UserID, connector: ConnectorID, resource: GoogleResource, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleGetAnswer
    /// Revokes the grant at Google and leaves a tombstone.
    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer
    /// Seals values under their purpose, owner and record.
    func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults
    /// Opens values sealed before.
    func open(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults
    /// Reads the enclave's counters.
    func metrics(context: CallContext) async throws(EnclaveCallError) -> EnclaveMetrics
}

extension EnclaveClient: WorkerEnclave {}

extension JobLease {
    /// The request id that the job goes by on both sides; its own id when none was given.
    var callID: String {
        requestID.flatMap(RequestID.init)?.text ?? job.lowercased
    }
}

extension ClaimedJob {
    /// The context of this job's calls.
    func context(deadline: Duration? = nil) -> CallContext {
        CallContext(requestID: lease.callID, traceparent: traceparent, deadline: deadline)
    }
}
