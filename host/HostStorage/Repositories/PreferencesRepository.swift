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

    private static let insert = Statement.write(
        "insert into alfred.user_preferences (user_id) values ($1) on conflict do nothing")
}
