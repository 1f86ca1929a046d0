public import FoundationEssentials

public struct Preferences: Sendable, Equatable {
    public let meetingReminderMinutes: Int
    /// `HH:MM`, as the other local times.
    public let morningBriefLocalTime: String
    public let quietHoursStart: String
    public let quietHoursEnd: String
    /// IANA name.
    public let timeZone: String
    public let highRiskRequiresConfirm: Bool

    public init(
        meetingReminderMinutes: Int, morningBriefLocalTime: String, quietHoursStart: String, quietHoursEnd: String,
        timeZone: String, highRiskRequiresConfirm: Bool
    ) {
        self.meetingReminderMinutes = meetingReminderMinutes
        self.morningBriefLocalTime = morningBriefLocalTime
        self.quietHoursStart = quietHoursStart
        self.quietHoursEnd = quietHoursEnd
        self.timeZone = timeZone
        self.highRiskRequiresConfirm = highRiskRequiresConfirm
    }
}

public struct PreferencesRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// A user's preferences; the defaults are stored on first sight, whoever asks at the same time.
    public func getOrCreate(_ user: UUID) async throws(StorageError) -> Preferences {
        if let row = try await pool.query(Self.select, [.uuid(user)]).first { return try Self.preferences(row) }
        _ = try await pool.query(Self.insert, [.uuid(user)])
        return try Self.preferences(await pool.query(Self.select, [.uuid(user)]).required())
    }

    /// Replaces a user's preferences, with the audit row; the values are within their rules, the time zone exists.
    ///
    /// The brief moves with them. The calendar scan follows the user's own phase, not the wall clock; when the reminders
    /// are to come earlier or later, it runs at once.
    public func update(_ user: UUID, _ preferences: Preferences) async throws(StorageError) {
        try await pool.withTransaction { tx throws(StorageError) in
            let lead = try await tx.query(Self.lockLead, [.uuid(user)]).first?.int(0)
            try await tx.query(Self.upsert, [.uuid(user)] + preferences.parameters)
            if lead != preferences.meetingReminderMinutes { try await ScheduleRepository.scan(of: user, in: tx) }
            try await ScheduleRepository.follow(preferences, of: user, in: tx)
            try await tx.audit(
                .preferencesUpdated(
                    meetingReminderMinutes: preferences.meetingReminderMinutes, timeZone: preferences.timeZone),
                for: user)
        }
    }

    private static func preferences(_ row: Row) throws(StorageError) -> Preferences {
        Preferences(
            meetingReminderMinutes: try row.int(0), morningBriefLocalTime: try row.text(1),
            quietHoursStart: try row.text(2), quietHoursEnd: try row.text(3), timeZone: try row.text(4),
            highRiskRequiresConfirm: try row.bool(5))
    }

    private static let select = Statement.read(
        """
        select meeting_reminder_minutes, morning_brief_local_time, quiet_hours_start, quiet_hours_end, time_zone,
            high_risk_requires_confirm
        from alfred.user_preferences where user_id = $1
        """)

    private static let lockLead = Statement.write(
        "select meeting_reminder_minutes from alfred.user_preferences where user_id = $1 for update")

    private static let insert = Statement.write(
        "insert into alfred.user_preferences (user_id) values ($1) on conflict do nothing")

    private static let upsert = Statement.write(
        """
        insert into alfred.user_preferences as p (
            user_id, meeting_reminder_minutes, morning_brief_local_time, quiet_hours_start, quiet_hours_end, time_zone,
            high_risk_requires_confirm)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (user_id) do update set
            meeting_reminder_minutes = excluded.meeting_reminder_minutes,
            morning_brief_local_time = excluded.morning_brief_local_time,
            quiet_hours_start = excluded.quiet_hours_start, quiet_hours_end = excluded.quiet_hours_end,
            time_zone = excluded.time_zone, high_risk_requires_confirm = excluded.high_risk_requires_confirm,
            updated_at = now()
        """)
}

extension Preferences {
    /// In the order of the table.
    fileprivate var parameters: [SQLValue] {
        [
            .int(meetingReminderMinutes), .text(morningBriefLocalTime), .text(quietHoursStart), .text(quietHoursEnd),
            .text(timeZone), .bool(highRiskRequiresConfirm),
        ]
    }
}
