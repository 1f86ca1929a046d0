import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
public import HostRuntime
public import HostStorage
public import ServiceLifecycle

/// Grants that nobody looks after: those of erased users are revoked as soon as it can be done, those of idle users are
/// used once a month, because the provider lets idle ones die.
public struct GrantKeeper: Service {
    /// Between two rounds.
    static let interval = Duration.seconds(3600)
    /// While there is no session to the enclave.
    static let enclavePause = Duration.seconds(5)
    /// A grant that was not refreshed here for so long is.
    static let idleAge = Duration.seconds(30 * 86_400)
    /// After a refresh that failed.
    static let idlePause = Duration.seconds(86_400)
    /// Most rows of one claim, and claims of one round.
    static let batch = 50
    static let maximumBatches = 200

    private let pending: PendingRevocationRepository
    private let connectors: ConnectorRepository
    private let enclave: any PrivacyEnclave
    private let log: HostLog

    public init(pool: PostgresPool, enclave: any PrivacyEnclave, log: HostLog) {
        pending = PendingRevocationRepository(pool)
        connectors = ConnectorRepository(pool)
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

    /// One try for each that is due.
    func round() async {
        do throws(StorageError) {
            try await revokePending()
            try await refreshIdle()
        } catch {
            guard !Task.isCancelled else { return }
            log.event("storage_failed", .warn, [LogField(.queue, "grants"), LogField(.reason, error.word)])
        }
    }

    // MARK: - Erased users

    private func revokePending() async throws(StorageError) {
        for _ in 0..<Self.maximumBatches {
            let due = try await pending.claim(limit: Self.batch)
            for (user, connector) in due {
                guard !Task.isCancelled else { return try await pending.postpone(connector, by: .zero) }
                try await revoke(connector, of: user)
            }
            guard due.count == Self.batch else { break }
        }
        let expired = try await pending.deleteExpired()
        if expired > 0 { log.event("pending_revocations_expired", .error, [LogField(.count, expired)]) }
    }

    private func revoke(_ connector: UUID, of user: UUID) async throws(StorageError) {
        do throws(EnclaveCallError) {
            _ = try await enclave.revokeGoogle(
                user: UserID(user), connector: ConnectorID(connector), context: context())
        } catch {
            // A tombstone: revoked by a try that could not be recorded.
            guard error == .failed(EnclaveFailure(.recordRevoked)) else {
                log.event("pending_revocation_failed", .warn, [LogField(.reason, error.name)])
                let failure = EnclaveErrorMapping.job(error, during: .revoke)
                if failure.kind == .deferred { try await pending.postpone(connector, by: Self.interval) }
                return
            }
        }
        try await pending.finish(connector, of: user)
        log.event("pending_revocation_finished")
    }

    // MARK: - Idle users

    private func refreshIdle() async throws(StorageError) {
        for _ in 0..<Self.maximumBatches {
            let idle = try await pending.claimIdle(for: Self.idleAge, limit: Self.batch)
            for (user, connector) in idle {
                guard !Task.isCancelled, try await refresh(connector, of: user) else {
                    try await pending.retryIdle(connector, of: user, age: Self.idleAge, pause: Self.idlePause)
                    continue
                }
            }
            guard idle.count == Self.batch, !Task.isCancelled else { break }
        }
    }

    /// `false` when it is to be tried again.
    private func refresh(_ id: UUID, of user: UUID) async throws(StorageError) -> Bool {
        guard let connector = try await connectors.find(id, of: user) else { return true }
        do throws(EnclaveCallError) {
            _ = try await enclave.refreshGoogle(user: UserID(user), connector: ConnectorID(id), context: context())
            return true
        } catch {
            log.event("idle_refresh_failed", .warn, [LogField(.reason, error.name)])
            guard error == .failed(EnclaveFailure(.reconnectRequired)) else { return false }
            // Judged by the record's version: one that was connected again since stays as it is.
            return try await connectors.markReconnectRequired(
                id, of: user, expectedVersion: connector.recordVersion, reason: "invalid_grant")
        }
    }

    private func context() -> CallContext { CallContext(requestID: RequestID.new().text) }
}
