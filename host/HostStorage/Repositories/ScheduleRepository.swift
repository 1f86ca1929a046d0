import FoundationEssentials

public enum ScheduleKind: String, Sendable {
    case calendarScan = "CALENDAR_SCAN"
    case morningBrief = "MORNING_BRIEF"
    case urgentEmailCheck = "URGENT_EMAIL_CHECK"
}

public struct ScheduleStep: Sendable, Equatable {
    /// Rows advanced.
    public let stepped: Int
    /// Jobs made; fewer when an earlier one is unfinished.
    public let enqueued: Int
    /// The latest row's distance from its slot.
    public let longestDrift: Duration
}

/// Recurring work. Interval kinds so far: the calendar scan.
public struct ScheduleRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Makes the jobs of due interval schedules and advances them, in one statement.
    ///
    /// Missed slots collapse into one run now; the next slot keeps the user's own phase.
    public func stepDue(
        calendarScanEvery interval: Duration, limit: Int = 100
    ) async throws(StorageError) -> ScheduleStep {
        let seconds = max(1, Int(interval.inSeconds))
        let parameters: [SQLValue] = [.text(ScheduleKind.calendarScan.rawValue), .int(seconds), .int(limit)]
        do {
            let row = try await pool.query(Self.step, parameters).required()
            return ScheduleStep(
                stepped: try row.int(0), enqueued: try row.int(1), longestDrift: .seconds(max(0, try row.double(2))))
        } catch {
            // A user was deleted in between; the next step passes that user over.
            guard error == .userDeleted else { throw error }
            return ScheduleStep(stepped: 0, enqueued: 0, longestDrift: .zero)
        }
    }

    /// Time until the next enabled schedule of a user with a device is due, `nil` when there is none.
    public func timeUntilNextDue() async throws(StorageError) -> Duration? {
        try await pool.query(Self.nextDue).first?.optional(0, Row.double).map { .seconds(max(0, $0)) }
    }

    /// Enables a kind, due now, or disables it.
    static func set(
        _ kind: ScheduleKind, enabled: Bool, for user: UUID, in tx: Transaction
    ) async throws(StorageError) {
        try await tx.query(enabled ? Self.enable : Self.disable, [.uuid(user), .text(kind.rawValue)])
    }

    static func disableAll(of user: UUID, in tx: Transaction) async throws(StorageError) {
        try await tx.query(Self.disableEvery, [.uuid(user)])
    }

    private static let steppable = """
        s.enabled and exists (
            select from alfred.users u where u.id = s.user_id and u.status = 'ACTIVE' and u.frozen_at is null)
        and exists (select from alfred.devices d where d.user_id = s.user_id and d.disabled_at is null)
        """

    private static let step = Statement.write(
        """
        with due as (
            select s.id, s.user_id, s.kind, s.next_run_at as slot from alfred.schedules s
            where s.kind = $1 and s.next_run_at <= now() and \(steppable)
            order by s.next_run_at limit $3 for update of s skip locked),
        phased as (
            select d.*, encode(substring(sha256(uuid_send(d.user_id)) for 8), 'hex') as digest from due d),
        aligned as (
            select p.id, p.user_id, p.kind, p.slot, (
                ((('x' || substring(digest for 8))::bit(32)::bigint % $2) * (4294967296 % $2)
                    + ('x' || substring(digest from 9))::bit(32)::bigint) % $2) as phase
            from phased p),
        planned as (
            select a.*, to_timestamp(
                floor((extract(epoch from now()) - a.phase) / $2) * $2 + a.phase + $2) as next
            from aligned a),
        made as (
            insert into alfred.jobs (user_id, type, idempotency_key, due_at, expires_at, request_id)
            select p.user_id, p.kind, p.kind || ':' || floor(extract(epoch from p.slot))::bigint, now(), p.next,
                gen_random_uuid()::text
            from planned p
            where not exists (
                select from alfred.jobs j
                where j.user_id = p.user_id and j.type = p.kind and j.state in ('PENDING', 'RUNNING'))
            on conflict (user_id, type, idempotency_key) do nothing
            returning 1),
        stepped as (
            update alfred.schedules s set next_run_at = p.next, last_slot_at = p.slot, last_run_at = now(),
                updated_at = now()
            from planned p where s.id = p.id
            returning extract(epoch from now() - p.slot) as drift)
        select (select count(*) from stepped), (select count(*) from made),
            (select coalesce(max(drift), 0)::float8 from stepped)
        """)

    private static let nextDue = Statement.read(
        """
        select extract(epoch from s.next_run_at - now())::float8 from alfred.schedules s
        where \(steppable) order by s.next_run_at limit 1
        """)

    private static let enable = Statement.write(
        """
        insert into alfred.schedules (user_id, kind, enabled, next_run_at) values ($1, $2, true, now())
        on conflict (user_id, kind) do update set enabled = true, next_run_at = now(), updated_at = now()
        """)

    private static let disable = Statement.write(
        "update alfred.schedules set enabled = false, updated_at = now() where user_id = $1 and kind = $2 and enabled")

    private static let disableEvery = Statement.write(
        "update alfred.schedules set enabled = false, updated_at = now() where user_id = $1 and enabled")
}
