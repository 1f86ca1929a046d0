/// The storage of erasing users: leased requests, and the steps that a killed worker leaves to another.
public struct PrivacyDeletionRepository: Sendable {
    /// Tries after which a request counts as failed; it is tried on nevertheless.
    public static let failedAfter = 10
    /// Most rows of one statement before the purge.
    static let batch = 1000
    /// Most such statements per table; the purge deletes the rest.
    static let maximumBatches = 2000

    let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    // MARK: - Requests

    /// Leases due requests and those of workers that died, the oldest first.
    public func claim(owner: String, limit: Int, lease: Duration) async throws(StorageError) -> [PrivacyLease] {
        let parameters: [SQLValue] = [.text(owner), .int(limit), .double(lease.inSeconds)]
        return try await pool.query(Self.claimDue, parameters).map { row throws(StorageError) in
            PrivacyLease(
                request: try row.uuid(0), user: try row.uuid(1), token: Int64(try row.int(2)),
                attempts: try row.int(3), revokeAttempts: try row.int(4))
        }
    }

    /// Extends a lease; `false` when it was lost.
    public func heartbeat(_ lease: PrivacyLease, extendBy duration: Duration) async throws(StorageError) -> Bool {
        try await pool.query(Self.extend, lease.parameters + [.double(duration.inSeconds)]).affected == 1
    }

    /// Time until a request is due or a lease ends; `nil` when none is open.
    public func timeUntilNextDue() async throws(StorageError) -> Duration? {
        try await pool.query(Self.nextDue).first?.optional(0, Row.double).map { .seconds(max(0, $0)) }
    }

    /// How many wait, and how long they have.
    public func backlog(slaHours: Int) async throws(StorageError) -> PrivacyBacklog {
        let row = try await pool.query(Self.countOpen, [.int(slaHours)]).required()
        return PrivacyBacklog(
            open: try row.int(0), overdue: try row.int(1), oldest: .seconds(try row.double(2)),
            pendingRevocations: try row.int(3))
    }

    /// A try failed: again after a pause that grows, without end; audited while the user is there.
    ///
    /// - Returns: the request's state, nil when the lease was lost.
    public func retry(
        _ lease: PrivacyLease, reason: String, countsRevocation: Bool, policy: RetryPolicy,
        retryAfter: Duration = .zero
    ) async throws(StorageError) -> PrivacyRequestStatus? {
        try await pool.withTransaction { tx throws(StorageError) in
            let parameters: [SQLValue] = [
                .int(countsRevocation ? 1 : 0), .text(reason), .double(policy.base.inSeconds),
                .double(policy.maximum.inSeconds), .double(retryAfter.inSeconds), .int(Self.failedAfter),
            ]
            guard let row = try await tx.query(Self.setRetry, lease.parameters + parameters).first else { return nil }
            guard let status = PrivacyRequestStatus(rawValue: try row.text(0)) else { throw .unreadableAnswer }
            if try row.bool(2) {
                let event = AuditEvent.privacyDeleteAllFailed(
                    request: lease.request, status: status, at: try row.time(1), reason: reason)
                try await tx.audit(event, for: lease.user)
            }
            return status
        }
    }

    /// Hands a request back as it was taken, for another worker to go on at once.
    public func handBack(_ lease: PrivacyLease) async throws(StorageError) {
        _ = try await pool.query(Self.setBack, lease.parameters)
    }

    // MARK: - Steps

    /// From here on nothing of the user is run, stepped or sent.
    public func freeze(_ lease: PrivacyLease) async throws(StorageError) -> PrivacyFreeze {
        try await repeating(3) { () throws(StorageError) in
            try await pool.withTransaction { tx throws(StorageError) in
                let user: [SQLValue] = [.uuid(lease.user)]
                let status = try await tx.query(Self.lockUser, user).required().text(0)
                guard try await tx.query(Self.hold, lease.parameters).count == 1 else { return .leaseLost }
                guard status == UserStatus.active.rawValue else { return .erased }
                try await tx.query(Self.setFrozen, user)
                try await ScheduleRepository.disableAll(of: lease.user, in: tx)
                return .frozen
            }
        }
    }

    /// Deletes what waits to be run or sent: it would stand in the queues for as long as a grant cannot be revoked.
    public func clearQueues(_ lease: PrivacyLease) async throws(StorageError) {
        for table in ErasedTables.queues {
            for _ in 0..<Self.maximumBatches {
                let parameters: [SQLValue] = [.uuid(lease.user), .int(Self.batch)]
                let deleted = try await pool.query(Self.deleteWaiting(in: table), parameters)
                guard deleted.affected == Self.batch, !Task.isCancelled else { break }
            }
        }
    }

    /// Deletes what waits to be run or sent, and most of the rest, in small statements that hold up nobody.
    public func thinOut(_ lease: PrivacyLease) async throws(StorageError) {
        for table in ErasedTables.large {
            for _ in 0..<Self.maximumBatches {
                let deleted = try await pool.query(Self.deleteSome(of: table), lease.parameters + [.int(Self.batch)])
                guard deleted.affected == Self.batch, !Task.isCancelled else { break }
            }
        }
    }

    /// Erases the user in one transaction: all of it or nothing.
    ///
    /// Work in flight either commits before and is erased too, or fails at the user's row. Of the connectors only the
    /// sealed records that were given up stay, alone.
    public func purge(
        _ lease: PrivacyLease, unrevoked: [UnrevokedConnector]
    ) async throws(StorageError) -> PrivacyPurge {
        try await repeating(3) { () throws(StorageError) in
            try await pool.withTransaction { tx throws(StorageError) in
                try await Self.purge(lease, unrevoked, in: tx)
            }
        }
    }

    private static func purge(
        _ lease: PrivacyLease, _ unrevoked: [UnrevokedConnector], in tx: Transaction
    ) async throws(StorageError) -> PrivacyPurge {
        let user: [SQLValue] = [.uuid(lease.user)]
        let status = try await tx.query(lockUser, user).required().text(0)
        guard try await tx.query(hold, lease.parameters).count == 1 else { return .leaseLost }
        guard status == UserStatus.active.rawValue else { return .purged }
        let givenUp: [SQLValue] = [.uuids(unrevoked.map(\.connector)), .ints(unrevoked.map(\.recordVersion))]
        guard try await tx.query(selectUnhandled, user + givenUp).count == 0 else { return .connectorLeft }
        let revoked = try await tx.query(countRevoked, user).required().int(0)
        let moved = try await tx.query(moveUnrevoked, user).affected
        for table in ErasedTables.erased { try await tx.query(deleteAll(of: table), user) }
        for table in try await tables(in: tx) where !ErasedTables.kept.contains(table) {
            // Nothing may be left anywhere, whatever tables there are by now.
            guard try await tx.query(selectLeft(in: table), user).count == 0 else {
                throw .unexpected(sqlstate: "not_erased")
            }
        }
        try await tx.query(setDeleted, user)
        let reason = unrevoked.first?.reason
        try await tx.query(
            setPurged, lease.parameters + [.int(revoked), .int(moved), .text(moved > 0 ? reason : nil)])
        return .purged
    }

    /// Every table with a user's rows, by the catalogue.
    public func tablesWithUsers() async throws(StorageError) -> [String] {
        try await pool.withTransaction { tx throws(StorageError) in try await Self.tables(in: tx) }
    }

    private static func tables(in tx: Transaction) async throws(StorageError) -> [String] {
        try await tx.query(selectTables).map { row throws(StorageError) in
            let name = try row.text(0)
            guard name.utf8.allSatisfy({ (0x61...0x7a).contains($0) || $0 == 0x5f }) else { throw .unreadableAnswer }
            return name
        }
    }

    /// The last step, with the one event that is left of the user; `false` when the lease was lost.
    public func complete(_ lease: PrivacyLease, slaHours: Int) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            guard let row = try await tx.query(Self.setCompleted, lease.parameters).first else { return false }
            let event = AuditEvent.privacyDeleteAllCompleted(
                request: lease.request, at: try row.time(0), revoked: try row.int(1), unrevoked: try row.int(2),
                unrevokedReason: try row.optional(3, Row.text), slaHours: slaHours)
            try await tx.audit(event, for: lease.user)
            return true
        }
    }
}

extension PrivacyLease {
    var parameters: [SQLValue] { [.uuid(request), .int(token)] }
}
