import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
public import HostRuntime
import HostStorage
public import ServiceLifecycle

/// Finishes revocations that Google did not confirm, or whose caller died before it was recorded.
///
/// Every worker does this: revoking twice does no harm.
public struct RevocationRepeater: Service {
    /// Between two rounds.
    static let interval = Duration.seconds(3600)
    /// While there is no session to the enclave.
    static let enclavePause = Duration.seconds(5)
    /// Younger ones may still be under way in the API.
    static let youngest = Duration.seconds(120)
    /// Older ones are left to people.
    static let oldest = Duration.seconds(30 * 86_400)
    /// Most of one round.
    static let maximum = 1000

    private let connectors: ConnectorRepository
    private let enclave: any WorkerEnclave
    private let log: HostLog

    public init(stores: WorkerStores, enclave: any WorkerEnclave, log: HostLog) {
        connectors = stores.connectors
        self.enclave = enclave
        self.log = log
    }

    /// Repeats until shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let isAvailable = enclave.isAvailable
                if isAvailable { await round() }
                try? await Task.sleep(for: isAvailable ? Self.interval : Self.enclavePause)
            }
        }
    }

    /// One try for each; ends early when the enclave or Google cannot be reached.
    func round(olderThan age: Duration = youngest) async {
        do throws(StorageError) {
            let unfinished = try await connectors.unfinishedRevocations(
                olderThan: age, youngerThan: Self.oldest, maximum: Self.maximum)
            for (user, id) in unfinished {
                // Connected again since the list was made: that grant is another one.
                guard let connector = try await connectors.find(id, of: user), connector.status == .revoking else {
                    continue
                }
                guard try await finish(connector, of: user) else { return }
            }
        } catch {
            log.event("storage_failed", .warn, [LogField(.queue, "revocations"), LogField(.reason, error.word)])
        }
    }

    /// `false` when the others would fail in the same way.
    private func finish(_ connector: Connector, of user: UUID) async throws(StorageError) -> Bool {
        let version: Int64
        do throws(EnclaveCallError) {
            let answer = try await enclave.revokeGoogle(
                user: UserID(user), connector: ConnectorID(connector.id),
                context: CallContext(requestID: RequestID.new().text))
            version = Int64(clamping: answer.recordVersion)
        } catch {
            guard error == .failed(EnclaveFailure(.recordRevoked)) else {
                log.event("revocation_repeat_failed", .warn, [LogField(.reason, error.name)])
                let failure = EnclaveErrorMapping.job(error, during: .revoke)
                return failure.kind != .deferred && failure.code != "OAUTH_REVOKE_UNAVAILABLE"
            }
            // The tombstone is there, so it is the record that was read.
            version = connector.recordVersion
        }
        let isRecorded = try await connectors.markRevoked(
            connector.id, of: user, version: version, attestedMeasurement: enclave.attestedMeasurement)
        if isRecorded { log.event("revocation_finished") }
        return true
    }
}
