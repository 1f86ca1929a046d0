import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostRuntime
import HostStorage

/// The steps of erasing one user: freeze, revoke, purge, forget. Each may be done again; a worker that takes a request
/// up finds in the database where to go on.
struct ErasureSteps: Sendable {
    /// How a try ended.
    enum End: Equatable, Sendable {
        case completed
        /// `countsRevocation`: it was the revocation that failed.
        case failed(reason: String, countsRevocation: Bool, retryAfter: Duration)
        /// Another worker has the request.
        case leaseLost
    }

    private enum Problem: Error {
        case storage(StorageError)
        case revocation(EnclaveCallError)
        case forget(EnclaveCallError)
        case redis
    }

    /// Purges that may find a connector made meanwhile before the try counts as failed.
    static let maximumRounds = 3

    let deletions: PrivacyDeletionRepository
    let connectors: ConnectorRepository
    let keys: UserKeys
    let enclave: any PrivacyEnclave
    let maximumRevocations: Int
    let slaHours: Int

    func run(_ lease: PrivacyLease) async -> End {
        do throws(Problem) {
            switch try await stored({ () throws(StorageError) in try await deletions.freeze(lease) }) {
            case .leaseLost: return .leaseLost
            case .erased: break
            case .frozen:
                try await stored { () throws(StorageError) in try await deletions.clearQueues(lease) }
                switch try await erase(lease) {
                case .leaseLost: return .leaseLost
                case .connectorLeft:
                    return .failed(reason: "connector_changed", countsRevocation: false, retryAfter: .zero)
                case .purged: break
                }
            }
            try await forget(lease)
            let isCompleted = try await stored { () throws(StorageError) in
                try await deletions.complete(lease, slaHours: slaHours)
            }
            return isCompleted ? .completed : .leaseLost
        } catch {
            return Self.end(error)
        }
    }

    // MARK: - Steps

    private func erase(_ lease: PrivacyLease) async throws(Problem) -> PrivacyPurge {
        for _ in 0..<Self.maximumRounds {
            let unrevoked = try await revoke(lease)
            try await stored { () throws(StorageError) in try await deletions.thinOut(lease) }
            let purge = try await stored { () throws(StorageError) in
                try await deletions.purge(lease, unrevoked: unrevoked)
            }
            guard case .connectorLeft = purge else { return purge }
        }
        return .connectorLeft
    }

    /// Revokes what is not; what was refused for good, or too often, is answered.
    private func revoke(_ lease: PrivacyLease) async throws(Problem) -> [UnrevokedConnector] {
        var unrevoked: [UnrevokedConnector] = []
        let all = try await stored { () throws(StorageError) in try await connectors.list(of: lease.user) }
        for connector in all where connector.status != .revoked {
            let version: Int64
            do throws(EnclaveCallError) {
                let answer = try await enclave.revokeGoogle(
                    user: UserID(lease.user), connector: ConnectorID(connector.id), context: context(lease))
                version = Int64(clamping: answer.recordVersion)
            } catch {
                guard error != .failed(EnclaveFailure(.recordRevoked)) else {
                    // The tombstone is there, so it is the record that was listed.
                    try await markRevoked(connector, lease, version: connector.recordVersion)
                    continue
                }
                guard isForGood(error) || lease.revokeAttempts + 1 >= maximumRevocations else {
                    throw .revocation(error)
                }
                unrevoked.append(
                    UnrevokedConnector(
                        connector: connector.id, recordVersion: connector.recordVersion, reason: error.name))
                continue
            }
            try await markRevoked(connector, lease, version: version)
        }
        return unrevoked
    }

    private func markRevoked(_ connector: Connector, _ lease: PrivacyLease, version: Int64) async throws(Problem) {
        _ = try await stored { () throws(StorageError) in
            try await connectors.markRevoked(
                connector.id, of: lease.user, version: version, attestedMeasurement: enclave.attestedMeasurement)
        }
    }

    private func isForGood(_ error: EnclaveCallError) -> Bool {
        guard case .failed(let failure) = error else { return false }
        return failure.code == .sealedDataRejected || failure.code == .recordMissing
    }

    private func forget(_ lease: PrivacyLease) async throws(Problem) {
        do throws(EnclaveCallError) {
            try await enclave.forget(user: UserID(lease.user), context: context(lease))
        } catch {
            throw .forget(error)
        }
        do throws(RedisError) { try await keys.erase(lease.user) } catch { throw .redis }
    }

    // MARK: - Failures

    private func context(_ lease: PrivacyLease) -> CallContext { CallContext(requestID: lease.request.lowercased) }

    private func stored<Value: Sendable>(
        _ body: () async throws(StorageError) -> Value
    ) async throws(Problem) -> Value {
        do throws(StorageError) { return try await body() } catch { throw .storage(error) }
    }

    private static func end(_ problem: Problem) -> End {
        switch problem {
        case .storage(let error): .failed(reason: "storage_\(error.word)", countsRevocation: false, retryAfter: .zero)
        case .revocation(let error):
            .failed(
                reason: "revoke_\(error.name)", countsRevocation: true,
                retryAfter: .seconds(EnclaveErrorMapping.job(error, during: .revoke).retryAfterSeconds ?? 0))
        case .forget(let error):
            .failed(reason: "forget_\(error.name)", countsRevocation: false, retryAfter: .zero)
        case .redis: .failed(reason: "redis_unavailable", countsRevocation: false, retryAfter: .zero)
        }
    }
}
