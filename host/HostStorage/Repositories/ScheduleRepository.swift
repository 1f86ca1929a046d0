import FoundationEssentials
import HostRuntime

public enum ScheduleKind: String, Sendable, CaseIterable {
    case calendarScan = "CALENDAR_SCAN"
    case morningBrief = "MORNING_BRIEF"
    case urgentEmailCheck = "URGENT_EMAIL_CHECK"
}

public struct ScheduleStep: Sendable, Equatable {
    /// Of rows whose user is served, how long after its slot each was stepped.
    public var drifts: [Drift] = []
    /// Jobs made; fewer when an earlier one is unfinished, or a slot was missed for good.
    public var enqueued = 0
    /// Rows looked at; as many as asked for means that there may be more.
    public var examined = 0

    public struct Drift: Sendable, Equatable {
        public let kind: ScheduleKind
        public let drift: Duration
    }

    /// Rows advanced of users who are served.
    public var stepped: Int { drifts.count }
}

/// Recurring work, as rows that survive every restart.
public struct ScheduleRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Makes the jobs of due schedules and advances them, in one transaction.
    public func stepDue(_ rhythm: ScheduleRhythm, limit: Int = 100) async throws(StorageError) -> ScheduleStep {
        do {
            return try await pool.withTransaction { tx throws(StorageError) in
                let rows = try await tx.query(Self.lockDue, [.int(limit)])
                guard let now = try rows.first?.time(4) else { return ScheduleStep() }
                var step = ScheduleStep()
                var plans: [(DueSchedule, SchedulePlan)] = []
                for due in try rows.map(Self.dueSchedule) {
                    plans.append((due, SchedulePlan(due, rhythm, now: now)))
                    guard due.isServed else { continue }
                    let late = Duration.seconds(max(0, now.timeIntervalSince(due.slot)))
                    step.drifts.append(ScheduleStep.Drift(kind: due.kind, drift: late))
                }
                step.examined = plans.count
                step.enqueued = try await tx.query(Self.write, Self.parameters(plans)).required().int(0)
                for (due, plan) in plans {
                    guard let day = plan.missed else { continue }
                    let action = AuditAction(source: "schedule", localDate: day.text)
                    try await tx.audit(
                        .jobActionSkipped(job: nil, action: action, outcome: "skipped", reason: "missed_slot"),
                        for: due.user)
                }
                return step
            }
        } catch {
            // A user was deleted in between; the next step passes that user over.
            guard error == .userDeleted else { throw error }
            return ScheduleStep()
        }
    }

    /// Time until the next enabled schedule is due, `nil` when there is none.
    public func timeUntilNextDue() async throws(StorageError) -> Duration? {
        try await pool.query(Self.nextDue).first?.optional(0, Row.double).map { .seconds(max(0, $0)) }
    }

    /// How many are due, by kind.
    public func overdue() async throws(StorageError) -> [ScheduleKind: Int] {
        var counts: [ScheduleKind: Int] = [:]
        for (kind, count) in try await pool.query(Self.countDue).map({ row throws(StorageError) in
            (ScheduleKind(rawValue: try row.text(0)), try row.int(1))
        }) {
            if let kind { counts[kind] = count }
        }
        return counts
    }

    private static func parameters(_ plans: [(DueSchedule, SchedulePlan)]) -> [SQLValue] {
        func micros(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1_000_000).rounded()) }
        return [
            .uuids(plans.map(\.0.id)), .ints(plans.map { micros($0.1.next) }),
            .texts(plans.map { $0.1.job?.key ?? "" }), .ints(plans.map { micros($0.1.job?.expiresAt ?? $0.1.next) }),
            .ints(plans.map { $0.0.isServed ? 1 : 0 }),
        ]
    }

    private static func dueSchedule(_ row: Row) throws(StorageError) -> DueSchedule {
        guard let kind = ScheduleKind(rawValue: try row.text(2)) else { throw .unreadableAnswer }
        return DueSchedule(
            id: try row.uuid(0), user: try row.uuid(1), kind: kind, slot: try row.time(3),
            isServed: try row.bool(5),
            preferences: Preferences(
                meetingReminderMinutes: 15, morningBriefLocalTime: try row.text(6),
                quietHoursStart: try row.text(7), quietHoursEnd: try row.text(8), timeZone: try row.text(9),
                highRiskRequiresConfirm: true))
    }

    // MARK: - With the transaction of what decides about them

    /// Enables and disables a user's schedules by the scopes granted; what is enabled runs now, the brief at its time.
    static func set(
        calendar: Bool, mail: Bool, for user: UUID, in tx: Transaction
    ) async throws(StorageError) {
        let row = try await tx.query(Self.preferences, [.uuid(user)]).required()
        let preferences = Preferences(
            meetingReminderMinutes: 15, morningBriefLocalTime: try row.text(0), quietHoursStart: "00:00",
            quietHoursEnd: "00:00", timeZone: try row.text(1), highRiskRequiresConfirm: true)
        let brief = SchedulePlan.nextBrief(preferences, after: try row.time(2))
        let wanted: [(ScheduleKind, Bool, Date?)] = [
            (.calendarScan, calendar, nil), (.morningBrief, calendar, brief), (.urgentEmailCheck, mail, nil),
        ]
        for (kind, isEnabled, next) in wanted {
            let parameters: [SQLValue] = [.uuid(user), .text(kind.rawValue)]
            if isEnabled {
                try await tx.query(Self.enable, parameters + [.time(next)])
            } else {
                try await tx.query(Self.disable, parameters)
            }
        }
    }

    /// After new preferences: the brief's time is computed again from now, and mail is not held back by old quiet hours.
    static func follow(_ preferences: Preferences, of user: UUID, in tx: Transaction) async throws(StorageError) {
        let now = try await tx.query(.write("select now()")).required().time(0)
        let next = SchedulePlan.nextBrief(preferences, after: now)
        try await tx.query(Self.move, [.uuid(user), .time(next)])
    }

    /// Lets the calendar be scanned now.
    static func scan(of user: UUID, in tx: Transaction) async throws(StorageError) {
        let due = try await tx.query(Self.scanNow, [.uuid(user)])
        if due.count > 0 { try await tx.query(JobRepository.announce) }
    }

    static func disableAll(of user: UUID, in tx: Transaction) async throws(StorageError) {
        try await tx.query(Self.disableEvery, [.uuid(user)])
    }
}

extension ScheduleRepository {
    // The condition stands on the locked row: a schedule that another worker stepped since is not stepped again.
    private static let lockDue = Statement.write(
        """
        select s.id, s.user_id, s.kind, s.next_run_at, now(),
            u.status = 'ACTIVE' and u.frozen_at is null
                and exists (select from alfred.devices d where d.user_id = s.user_id and d.disabled_at is null),
            coalesce(p.morning_brief_local_time, '08:00'), coalesce(p.quiet_hours_start, '22:00'),
            coalesce(p.quiet_hours_end, '07:00'), coalesce(p.time_zone, 'UTC')
        from alfred.schedules s
        join alfred.users u on u.id = s.user_id
        left join alfred.user_preferences p on p.user_id = s.user_id
        where s.enabled and s.next_run_at <= now()
        order by s.next_run_at limit $1 for update of s skip locked
        """)

    // An earlier job of the kind that is unfinished stands for this one.
    private static let write = Statement.write(
        """
        with plan as (
            select * from unnest($1::uuid[], $2::int8[], $3::text[], $4::int8[], $5::int8[])
                as p(id, next, key, expires, served)),
        stepped as (
            update alfred.schedules s set next_run_at = timestamptz 'epoch' + p.next * interval '1 microsecond',
                last_slot_at = case when p.served = 1 then s.next_run_at else s.last_slot_at end,
                last_run_at = case when p.served = 1 then now() else s.last_run_at end, updated_at = now()
            from plan p where s.id = p.id
            returning s.user_id, s.kind, p.key, p.expires),
        made as (
            insert into alfred.jobs (user_id, type, idempotency_key, due_at, expires_at, request_id)
            select s.user_id, s.kind, s.key, now(), timestamptz 'epoch' + s.expires * interval '1 microsecond',
                gen_random_uuid()::text
            from stepped s
            where s.key <> '' and not exists (
                select from alfred.jobs j
                where j.user_id = s.user_id and j.lane = 1 and j.state = 'PENDING' and j.type = s.kind)
            and not exists (
                select from alfred.jobs j
                where j.user_id = s.user_id and j.lane = 1 and j.state = 'RUNNING' and j.type = s.kind)
            on conflict (user_id, type, idempotency_key) do nothing
            returning 1)
        select (select count(*) from made)
        """)

    private static let nextDue = Statement.read(
        """
        select extract(epoch from next_run_at - now())::float8 from alfred.schedules
        where enabled order by next_run_at limit 1
        """)

    private static let countDue = Statement.read(
        "select kind, count(*) from alfred.schedules where enabled and next_run_at <= now() group by kind")

    private static let preferences = Statement.write(
        """
        select coalesce(max(morning_brief_local_time), '08:00'), coalesce(max(time_zone), 'UTC'), now()
        from alfred.user_preferences where user_id = $1
        """)

    private static let enable = Statement.write(
        """
        insert into alfred.schedules (user_id, kind, enabled, next_run_at) values ($1, $2, true, coalesce($3, now()))
        on conflict (user_id, kind) do update set enabled = true, next_run_at = coalesce($3, now()), updated_at = now()
        """)

    private static let disable = Statement.write(
        "update alfred.schedules set enabled = false, updated_at = now() where user_id = $1 and kind = $2 and enabled")

    private static let move = Statement.write(
        """
        update alfred.schedules set updated_at = now(),
            next_run_at = case when kind = 'MORNING_BRIEF' then $2 else least(next_run_at, now() + interval '5 minutes')
                end
        where user_id = $1 and kind in ('MORNING_BRIEF', 'URGENT_EMAIL_CHECK')
        """)

    private static let scanNow = Statement.write(
        """
        update alfred.schedules set next_run_at = least(next_run_at, now()), updated_at = now()
        where user_id = $1 and kind = 'CALENDAR_SCAN' and enabled returning id
        """)

    private static let disableEvery = Statement.write(
        "update alfred.schedules set enabled = false, updated_at = now() where user_id = $1 and enabled")
}
