public import FoundationEssentials

/// The job engine's queue: claims with fenced leases, results, effects.
public struct JobRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    // MARK: - Taking jobs

    /// Claims due jobs, earliest first, never more per user and lane than the limit.
    ///
    /// A claim that another one made impossible is rolled back by the unique index and repeated.
    public func claim(_ claim: JobClaim) async throws(StorageError) -> [ClaimedJob] {
        guard claim.maximum > 0 else { return [] }
        var claimed: [ClaimedJob] = []
        // A short look first; farther only when those who may not run fill it.
        for reach in [(2, 0), (2, 2), (8, 8), (64, 64)] {
            var rest = claim
            rest.maximum -= claimed.count
            rest.maximumBackground -= claimed.count { !$0.lease.type.isPrompt }
            let found = try await take(rest, reach: reach)
            claimed += found.jobs
            guard found.isWindowFull, claimed.count < claim.maximum else { break }
        }
        return claimed
    }

    private func take(
        _ claim: JobClaim, reach: (perPlace: Int, perRunning: Int)
    ) async throws(StorageError) -> (jobs: [ClaimedJob], isWindowFull: Bool) {
        for _ in 0..<5 {
            do {
                let rows = try await pool.query(Self.claimDue, claim.parameters(reach: reach))
                let jobs = try rows.map { row throws(StorageError) -> ClaimedJob? in
                    try row.isNull(0) ? nil : try Self.claimedJob(row)
                }
                return (jobs.compactMap(\.self), try rows.required().bool(16))
            } catch {
                switch error {
                case .unique, .conflict, .userDeleted: continue
                default: throw error
                }
            }
        }
        return ([], false)
    }

    /// Lets parked jobs move up whose user has too few in the queue; returns how many.
    public func promoteParked(steps: Int = 1000) async throws(StorageError) -> Int {
        var promoted = 0
        // From anywhere to the end, then from the beginning.
        for start in [UUID(), UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))] {
            promoted += try await pool.query(Self.promoteParked, [.uuid(start), .int(steps)]).affected
        }
        return promoted
    }

    /// Takes back jobs whose lease has ended; each counts as an attempt.
    public func reap(policy: RetryPolicy, limit: Int = 100) async throws(StorageError) -> JobReapResult {
        let parameters: [SQLValue] = [
            .text("LEASE_EXPIRED"), .text("The worker that ran the job stopped answering."),
            .double(policy.base.inSeconds), .double(policy.maximum.inSeconds), .int(limit),
        ]
        let row = try await pool.query(Self.reapExpired, parameters).required()
        return JobReapResult(returned: try row.int(0), deadLettered: try row.int(1))
    }

    /// Time until the earliest pending job is due, zero when one is due, `nil` when there is none.
    public func timeUntilNextDue() async throws(StorageError) -> Duration? {
        let next = try await nextDue()
        return next.isAnyDue ? .zero : next.untilNext
    }

    /// Whether a job is due, and the time until the next one that is not due yet.
    public func nextDue() async throws(StorageError) -> (isAnyDue: Bool, untilNext: Duration?) {
        let row = try await pool.query(Self.nextDue).required()
        return (try row.bool(0), try row.optional(1, Row.double).map { .seconds(max(0, $0)) })
    }

    /// What waits, runs and lies dead, per type; types without any are left out.
    public func backlog() async throws(StorageError) -> [JobBacklog] {
        try await pool.query(Self.countAll).map { row throws(StorageError) in
            guard let type = JobType(rawValue: try row.text(0)) else { throw .unreadableAnswer }
            return JobBacklog(
                type: type, pendingDue: try row.int(1), running: try row.int(2), deadLetters: try row.int(3))
        }
    }

    /// Extends leases; returns the jobs whose lease was lost: their executions stop and write nothing.
    public func heartbeat(_ leases: [JobLease], extendBy duration: Duration) async throws(StorageError) -> Set<UUID> {
        guard !leases.isEmpty else { return [] }
        let held: [SQLValue] = [.uuids(leases.map(\.job)), .ints(leases.map(\.token))]
        let extended = try await pool.query(Self.extendMany, held + [.double(duration.inSeconds)])
            .map { row throws(StorageError) in try row.uuid(0) }
        let lost = Set(leases.map(\.job)).subtracting(extended)
        guard !lost.isEmpty else { return [] }
        // What is being ended right now was passed over and is not lost.
        return lost.subtracting(
            try await pool.query(Self.stillHeld, held).map { row throws(StorageError) in try row.uuid(0) })
    }

    /// Extends one lease; `false` when it was lost.
    public func heartbeat(_ lease: JobLease, extendBy duration: Duration) async throws(StorageError) -> Bool {
        try await heartbeat([lease], extendBy: duration).isEmpty
    }

    // MARK: - Ending an execution

    /// Ends executions that have no effect, in one statement; returns the jobs whose lease was still held.
    public func finish(_ ended: [(lease: JobLease, outcome: String)]) async throws(StorageError) -> Set<UUID> {
        guard !ended.isEmpty else { return [] }
        let parameters: [SQLValue] = [
            .uuids(ended.map(\.lease.job)), .ints(ended.map(\.lease.token)), .texts(ended.map(\.outcome)),
        ]
        return Set(
            try await pool.query(Self.setManyDone, parameters).map { row throws(StorageError) in try row.uuid(0) })
    }

    /// Commits the job's effect and its end in one transaction; `false` when the lease was lost and nothing happened.
    public func finish(_ lease: JobLease, _ effect: JobEffect) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            let parameters: [SQLValue] = [.uuid(lease.job), .int(lease.token), .text(effect.outcome)]
            guard try await tx.query(Self.setDone, parameters).affected == 1 else { return false }
            if let pushes = effect.pushes {
                for push in pushes.items {
                    try await tx.query(OutboxRepository.insert, pushes.parameters(push, lease))
                }
            }
            for reminder in effect.reminders { try await Self.upsertReminder(reminder, in: tx) }
            for job in effect.followUps { try await tx.query(Self.insert, job.parameters) }
            if !effect.seen.isEmpty {
                try await tx.query(Self.insertSeen, [.uuid(lease.user), .byteStrings(effect.seen)])
            }
            if let sweep = effect.sweep { try await tx.query(Self.deleteVanished, sweep.parameters(lease.user)) }
            for event in effect.audits { try await tx.audit(event, for: lease.user) }
            return true
        }
    }

    /// A transient failure: again after a pause, or a dead letter after the last attempt.
    ///
    /// `retryAfter`, the provider's wish, is a floor for the pause, capped at the policy's maximum.
    public func retry(
        _ lease: JobLease, _ problem: JobProblem, policy: RetryPolicy, retryAfter: Duration? = nil
    ) async throws(StorageError) -> JobRetryOutcome {
        let parameters: [SQLValue] = [
            .uuid(lease.job), .int(lease.token), .text(problem.code), .text(problem.message),
            .double(policy.base.inSeconds), .double(policy.maximum.inSeconds), .double(retryAfter?.inSeconds ?? 0),
        ]
        guard let row = try await pool.query(Self.retryOne, parameters).first else { return .leaseLost }
        return try row.bool(0) ? .deadLettered : .retried
    }

    /// Not the job's fault (enclave or database away, drain): again soon, no attempt counted; `false`: lease lost.
    public func `defer`(_ lease: JobLease, _ problem: JobProblem) async throws(StorageError) -> Bool {
        let parameters: [SQLValue] = [
            .uuid(lease.job), .int(lease.token), .text(problem.code), .text(problem.message),
        ]
        return try await pool.query(Self.deferOne, parameters).affected == 1
    }

    /// Not yet its time: PENDING until then, no attempt counted; `false`: lease lost.
    public func postpone(_ lease: JobLease, until due: Date) async throws(StorageError) -> Bool {
        try await pool.query(Self.postponeOne, [.uuid(lease.job), .int(lease.token), .time(due)]).affected == 1
    }

    /// A permanent failure: FAILED and its dead letter in one statement; `false`: lease lost.
    public func fail(_ lease: JobLease, _ problem: JobProblem) async throws(StorageError) -> Bool {
        let parameters: [SQLValue] = [
            .uuid(lease.job), .int(lease.token), .text(problem.code), .text(problem.message),
        ]
        return try await pool.query(Self.failOne, parameters).count == 1
    }

    // MARK: - Making jobs

    /// Inserts a job and wakes the workers; `false` when its (user, type, key) exists already.
    public func enqueue(_ job: NewJob) async throws(StorageError) -> Bool {
        try await pool.query(Self.insert, job.parameters).affected == 1
    }

    /// Inserts a reminder or moves a PENDING one to its new time.
    public func upsertReminder(_ reminder: NewJob) async throws(StorageError) {
        try await pool.withTransaction { tx throws(StorageError) in
            try await Self.upsertReminder(reminder, in: tx)
        }
    }

    /// Deletes PENDING reminders in a completely listed window that are not to be kept; returns how many.
    public func deleteVanishedReminders(of user: UUID, _ sweep: ReminderSweep) async throws(StorageError) -> Int {
        try await pool.query(Self.deleteVanished, sweep.parameters(user)).affected
    }

    /// PENDING reminders of meetings that start in [from, to).
    public func pendingReminders(
        of user: UUID, from: Date, to: Date
    ) async throws(StorageError) -> [PendingReminder] {
        try await pool.query(Self.selectReminders, [.uuid(user), .time(from), .time(to)]).map {
            row throws(StorageError) in
            PendingReminder(
                job: try row.uuid(0), key: try row.text(1), dueAt: try row.time(2), startsAt: try row.time(3))
        }
    }

    /// Which of these digests belong to mail that was judged before.
    public func seenMail(of user: UUID, among digests: [[UInt8]]) async throws(StorageError) -> Set<[UInt8]> {
        guard !digests.isEmpty else { return [] }
        return Set(
            try await pool.query(Self.selectSeen, [.uuid(user), .byteStrings(digests)])
                .map { row throws(StorageError) in try row.bytes(0) })
    }

    private static func upsertReminder(_ reminder: NewJob, in tx: Transaction) async throws(StorageError) {
        let moved = try await tx.query(Self.upsert, reminder.parameters)
        if let row = moved.first, try !row.bool(0) { try await tx.query(announce) }
    }

    private static func claimedJob(_ row: Row) throws(StorageError) -> ClaimedJob {
        guard let type = JobType(rawValue: try row.text(3)) else { throw .unreadableAnswer }
        let lease = JobLease(
            job: try row.uuid(0), user: try row.uuid(1), token: Int64(try row.int(2)), type: type,
            requestID: try row.optional(4, Row.text))
        return ClaimedJob(
            lease: lease, dueAt: try row.time(5), expiresAt: try row.optional(6, Row.time),
            isExpired: try row.bool(7), lag: .seconds(try row.double(8)),
            sealedPayload: try row.optional(9, Row.bytes), sealedKeyVersion: try row.optional(10, Row.int),
            attempts: try row.int(11), deferrals: try row.int(12), maxAttempts: try row.int(13),
            idempotencyKey: try row.text(14), traceparent: try row.optional(15, Row.text))
    }
}

extension JobClaim {
    /// `reach` is the number of rows looked at per free place and per running job.
    func parameters(reach: (perPlace: Int, perRunning: Int)) -> [SQLValue] {
        [
            .text(owner), .int(maximum), .int(max(0, maximumBackground)), .int(perUserLimit),
            .double(lease.inSeconds), .int(reach.perPlace), .int(reach.perRunning),
        ]
    }
}

extension NewJob {
    var parameters: [SQLValue] {
        [
            .uuid(id), .uuid(user), .text(type.rawValue), .text(idempotencyKey), .time(dueAt), .time(expiresAt),
            .bytes(sealedPayload), .int(sealedKeyVersion.map(Int64.init)), .text(requestID), .text(traceparent),
        ]
    }
}

extension ReminderSweep {
    fileprivate func parameters(_ user: UUID) -> [SQLValue] { [.uuid(user), .time(from), .time(to), .texts(keep)] }
}
