public import FoundationEssentials

/// A job as an operator sees it: never its content.
public struct JobSummary: Sendable, Equatable {
    public let id: UUID
    public let user: UUID
    public let type: String
    public let state: String
    public let outcome: String?
    public let dueAt: Date
    public let expiresAt: Date?
    public let lastRunAt: Date?
    public let finishedAt: Date?
    public let attempts: Int
    public let deferrals: Int
    public let errorCode: String?
    public let errorMessage: String?
    public let leaseOwner: String?
    public let requestID: String?
    /// When the dead letter of it was retried; nil without one.
    public let redrivenAt: Date?
    public let isDeadLetter: Bool
}

/// A notification that did not arrive, as an operator sees it.
public struct FailedPush: Sendable, Equatable {
    public let id: UUID
    public let user: UUID
    public let job: UUID?
    public let kind: String
    public let state: String
    public let errorCode: String?
    public let attempts: Int
    public let finishedAt: Date?
}

/// What an operator does about jobs and dead letters.
public struct JobOperations: Sendable {
    /// A retried job may run for at least this long, whenever it would have expired.
    private static let newLife = Duration.seconds(3600)
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Jobs in a state: the latest ends first, or the earliest due.
    public func list(
        _ state: JobState, type: JobType? = nil, limit: Int = 50
    ) async throws(StorageError) -> [JobSummary] {
        let statement =
            switch state {
            case .pending: Self.listPending
            case .running: Self.listRunning
            case .done: Self.listDone
            case .failed: Self.listFailed
            }
        return try await pool.query(statement, [.text(type?.rawValue), .int(limit)]).map(Self.summary)
    }

    public func show(_ id: UUID) async throws(StorageError) -> JobSummary? {
        try await pool.query(Self.selectOne, [.uuid(id)]).first.map(Self.summary)
    }

    /// Notifications that failed or expired, the latest first.
    public func failedPushes(limit: Int = 50) async throws(StorageError) -> [FailedPush] {
        try await pool.query(Self.listPushes, [.int(limit)]).map { row throws(StorageError) in
            FailedPush(
                id: try row.uuid(0), user: try row.uuid(1), job: try row.optional(2, Row.uuid), kind: try row.text(3),
                state: try row.text(4), errorCode: try row.optional(5, Row.text), attempts: try row.int(6),
                finishedAt: try row.optional(7, Row.time))
        }
    }

    /// Runs failed jobs again, the same rows: what such a job sent already is not sent again. Returns their ids.
    public func retry(_ choice: Choice, limit: Int = 1000) async throws(StorageError) -> [UUID] {
        try await pool.withTransaction { tx throws(StorageError) in
            let rows = try await tx.query(
                Self.redrive, choice.parameters + [.int(limit), .double(Self.newLife.inSeconds)])
            let jobs = try rows.map { row throws(StorageError) in
                (
                    user: try row.uuid(1),
                    job: AuditJob(
                        id: try row.uuid(0), type: JobType(rawValue: try row.text(2)) ?? .calendarScan,
                        requestID: try row.optional(3, Row.text))
                )
            }
            for (user, job) in jobs { try await tx.audit(.jobRedriven(job: job), for: user) }
            if !jobs.isEmpty { try await tx.query(JobRepository.announce) }
            return jobs.map(\.job.id)
        }
    }

    /// Gives a failed job up: its dead letter goes, its key stays, so that nothing makes it again.
    public func discard(_ id: UUID) async throws(StorageError) -> Bool {
        try await pool.query(Self.discardOne, [.uuid(id)]).count > 0
    }

    public enum JobState: String, Sendable, CaseIterable {
        case pending = "PENDING"
        case running = "RUNNING"
        case done = "DONE"
        case failed = "FAILED"
    }

    public enum Choice: Sendable {
        case job(UUID)
        /// Every failed job of a type that was not discarded.
        case type(JobType)

        var parameters: [SQLValue] {
            switch self {
            case .job(let id): [.uuid(id), .text(nil)]
            case .type(let type): [.uuid(nil), .text(type.rawValue)]
            }
        }
    }

    private static func summary(_ row: Row) throws(StorageError) -> JobSummary {
        JobSummary(
            id: try row.uuid(0), user: try row.uuid(1), type: try row.text(2), state: try row.text(3),
            outcome: try row.optional(4, Row.text), dueAt: try row.time(5), expiresAt: try row.optional(6, Row.time),
            lastRunAt: try row.optional(7, Row.time), finishedAt: try row.optional(8, Row.time),
            attempts: try row.int(9), deferrals: try row.int(10), errorCode: try row.optional(11, Row.text),
            errorMessage: try row.optional(12, Row.text), leaseOwner: try row.optional(13, Row.text),
            requestID: try row.optional(14, Row.text), redrivenAt: try row.optional(15, Row.time),
            isDeadLetter: try row.bool(16))
    }
}

extension JobOperations {
    private static let columns = """
        select j.id, j.user_id, j.type, j.state, j.outcome, j.due_at, j.expires_at, j.last_run_at, j.finished_at,
            j.attempts, j.deferrals, j.last_error_code, j.last_error_message, j.lease_owner, j.request_id,
            d.redriven_at, d.id is not null and d.redriven_at is null
        from alfred.jobs j left join alfred.dead_letter_jobs d on d.job_id = j.id
        """
    private static let ofType = "($1::text is null or j.type = $1)"

    private static let listPending = Statement.read(
        "\(columns) where j.state = 'PENDING' and \(ofType) order by j.lane, j.due_at, j.id limit $2")
    private static let listRunning = Statement.read(
        "\(columns) where j.state = 'RUNNING' and \(ofType) order by j.last_run_at limit $2")
    private static let listDone = Statement.read(
        "\(columns) where j.state = 'DONE' and \(ofType) order by j.finished_at desc limit $2")
    private static let listFailed = Statement.read(
        "\(columns) where j.state = 'FAILED' and \(ofType) order by j.finished_at desc limit $2")
    private static let selectOne = Statement.read("\(columns) where j.id = $1")

    private static let listPushes = Statement.read(
        """
        select id, user_id, job_id, kind, state, last_error_code, attempts, finished_at from alfred.push_outbox
        where finished_at is not null and state in ('FAILED', 'EXPIRED') order by finished_at desc limit $1
        """)

    // As when they are inserted, no more of a user's than eight are in the queue; the others wait parked.
    private static let redrive = Statement.write(
        """
        with chosen as (
            select id, user_id, lane from alfred.jobs
            where state = 'FAILED' and outcome is null and ($1::uuid is null or id = $1)
                and ($2::text is null or type = $2)
            order by finished_at limit $3 for update),
        people as (
            select c.user_id, c.lane, (
                select count(*) from (
                    select from alfred.jobs j
                    where j.user_id = c.user_id and j.lane = c.lane and j.state = 'PENDING' and j.ready limit 8) r
                ) as taken
            from (select distinct user_id, lane from chosen) c),
        placed as (
            select c.id, row_number() over (partition by c.user_id, c.lane order by c.id) + p.taken <= 8 as ready
            from chosen c join people p on p.user_id = c.user_id and p.lane = c.lane),
        redriven as (
            update alfred.jobs j set state = 'PENDING', ready = c.ready, attempts = 0, deferrals = 0, due_at = now(),
                first_due_at = now(),
                expires_at = greatest(j.expires_at, now() + make_interval(secs => $4)), finished_at = null,
                last_error_code = null, last_error_message = null, updated_at = now()
            from placed c where j.id = c.id and j.state = 'FAILED'
            returning j.id, j.user_id, j.type, j.request_id),
        letters as (
            update alfred.dead_letter_jobs d set redriven_at = now() from redriven r where d.job_id = r.id)
        select id, user_id, type, request_id from redriven order by id
        """)

    private static let discardOne = Statement.write(
        """
        with given_up as (
            update alfred.jobs set outcome = 'discarded', updated_at = now()
            where id = $1 and state = 'FAILED' and outcome is null returning id),
        letters as (delete from alfred.dead_letter_jobs d using given_up g where d.job_id = g.id)
        select id from given_up
        """)
}
