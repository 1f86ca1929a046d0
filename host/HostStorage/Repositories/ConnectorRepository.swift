public import FoundationEssentials

public enum ConnectorStatus: String, CaseIterable, Sendable {
    case active = "ACTIVE"
    case revoking = "REVOKING"
    case revoked = "REVOKED"
    case reconnectRequired = "RECONNECT_REQUIRED"
}

public enum ConnectorProvider: String, Sendable { case google }

/// The two scopes features depend on.
public enum GoogleScope {
    public static let calendar = "https://www.googleapis.com/auth/calendar.readonly"
    public static let gmail = "https://www.googleapis.com/auth/gmail.readonly"
}

/// A connector without its sealed record, which only the record port reads.
public struct Connector: Sendable, Equatable {
    public let id: UUID
    public let provider: ConnectorProvider
    public let status: ConnectorStatus
    public let scopes: [String]
    public let recordVersion: Int64
    /// When it was last connected, or created while it never was.
    public let connectedAt: Date

    public var hasCalendar: Bool { scopes.contains(GoogleScope.calendar) }
    public var hasGmail: Bool { scopes.contains(GoogleScope.gmail) }
}

/// What the enclave reported after connecting.
public struct ConnectorActivation: Sendable {
    public var user: UUID
    public var connector: UUID
    public var recordVersion: Int64
    public var scopes: [String]
    /// The OAuth state that is consumed with it.
    public var state: UUID
    public var accountChanged: Bool
    public var attestedMeasurement: String

    public init(
        user: UUID, connector: UUID, recordVersion: Int64, scopes: [String], state: UUID, accountChanged: Bool,
        attestedMeasurement: String
    ) {
        self.user = user
        self.connector = connector
        self.recordVersion = recordVersion
        self.scopes = scopes
        self.state = state
        self.accountChanged = accountChanged
        self.attestedMeasurement = attestedMeasurement
    }
}

public struct ConnectorRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// All of a user's connectors, by creation.
    public func list(of user: UUID) async throws(StorageError) -> [Connector] {
        try await pool.query(Self.selectAll, [.uuid(user)]).map(Self.connector)
    }

    /// `nil` for an unknown id and for another user's alike.
    public func find(_ id: UUID, of user: UUID) async throws(StorageError) -> Connector? {
        try await pool.query(Self.selectOne, [.uuid(id), .uuid(user)]).first.map(Self.connector)
    }

    /// The id to connect under: the existing row's, which survives reconnecting, or a new one.
    public func prepareConnect(
        user: UUID, provider: ConnectorProvider = .google
    ) async throws(StorageError) -> UUID {
        let row = try await pool.query(Self.selectProvider, [.uuid(user), .text(provider.rawValue)]).first
        return try row?.uuid(0) ?? UUID()
    }

    /// Makes a connected record usable: ACTIVE with its scopes, state consumed, schedules by the scopes, audit.
    ///
    /// - Returns: `false` when the record is gone or was revoked meanwhile; then nothing was changed.
    public func activate(_ activation: ConnectorActivation) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            let updated = try await tx.query(
                Self.activateOne,
                [
                    .uuid(activation.connector), .uuid(activation.user), .int(activation.recordVersion),
                    .texts(activation.scopes),
                ])
            guard updated.affected == 1 else { return false }
            try await tx.query(OAuthStateRepository.consumeOne, [.uuid(activation.state), .uuid(activation.user)])
            let calendar = activation.scopes.contains(GoogleScope.calendar)
            let mail = activation.scopes.contains(GoogleScope.gmail)
            try await ScheduleRepository.set(calendar: calendar, mail: mail, for: activation.user, in: tx)
            try await tx.query(JobRepository.announce)
            if activation.accountChanged {
                let notice = NewJob.notice(
                    .accountChanged, connector: activation.connector, version: activation.recordVersion,
                    user: activation.user)
                try await tx.query(JobRepository.insert, notice.parameters)
            }
            let event = AuditEvent.googleConnectCompleted(
                connector: activation.connector, calendarGranted: calendar,
                gmailGranted: mail,
                accountChanged: activation.accountChanged, attestedMeasurement: activation.attestedMeasurement)
            try await tx.audit(event, for: activation.user)
            return true
        }
    }

    /// Takes a connector out of use before it is revoked; `nil` when unknown, foreign or revoked already.
    public func markRevoking(_ id: UUID, of user: UUID) async throws(StorageError) -> Connector? {
        try await pool.withTransaction { tx throws(StorageError) in
            guard let row = try await tx.query(Self.setRevoking, [.uuid(id), .uuid(user)]).first else { return nil }
            try await ScheduleRepository.disableAll(of: user, in: tx)
            return try Self.connector(row)
        }
    }

    /// Connectors whose revocation has not come through, started between the given ages; for repeating it.
    public func unfinishedRevocations(
        olderThan age: Duration, youngerThan limit: Duration, maximum: Int = 100
    ) async throws(StorageError) -> [(user: UUID, connector: UUID)] {
        let parameters: [SQLValue] = [.double(age.inSeconds), .double(limit.inSeconds), .int(maximum)]
        return try await pool.query(Self.selectRevoking, parameters).map { row throws(StorageError) in
            (user: try row.uuid(0), connector: try row.uuid(1))
        }
    }

    /// Records a finished revocation, whose tombstone has `version`.
    ///
    /// - Returns: `false` when it was recorded already, or the record is newer: connected again since.
    public func markRevoked(
        _ id: UUID, of user: UUID, version: Int64, attestedMeasurement: String
    ) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            let parameters: [SQLValue] = [.uuid(id), .uuid(user), .int(version)]
            guard try await tx.query(Self.setRevoked, parameters).affected == 1 else { return false }
            try await ScheduleRepository.disableAll(of: user, in: tx)
            try await tx.audit(.connectorRevoked(connector: id, attestedMeasurement: attestedMeasurement), for: user)
            return true
        }
    }

    /// The provider no longer takes the refresh token of exactly this record; `false` when the record moved on.
    public func markReconnectRequired(
        _ id: UUID, of user: UUID, expectedVersion: Int64, reason: String
    ) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            let parameters: [SQLValue] = [.uuid(id), .uuid(user), .int(expectedVersion), .text(reason)]
            guard try await tx.query(Self.setReconnectRequired, parameters).affected == 1 else { return false }
            try await ScheduleRepository.disableAll(of: user, in: tx)
            let notice = NewJob.notice(.reconnect, connector: id, version: expectedVersion, user: user)
            try await tx.query(JobRepository.insert, notice.parameters)
            try await tx.audit(.connectorReconnectRequired(connector: id, reason: reason), for: user)
            return true
        }
    }

    private static func connector(_ row: Row) throws(StorageError) -> Connector {
        guard let provider = ConnectorProvider(rawValue: try row.text(1)),
            let status = ConnectorStatus(rawValue: try row.text(2))
        else { throw .unreadableAnswer }
        return Connector(
            id: try row.uuid(0), provider: provider, status: status, scopes: try row.texts(3),
            recordVersion: Int64(try row.int(4)), connectedAt: try row.time(5))
    }
}

extension ConnectorRepository {
    private static let columns = "id, provider, status, scopes, record_version, coalesce(connected_at, created_at)"

    private static let selectAll = Statement.read(
        "select \(columns) from alfred.connectors where user_id = $1 order by created_at, id limit 100")

    private static let selectOne = Statement.read(
        "select \(columns) from alfred.connectors where id = $1 and user_id = $2")

    private static let selectProvider = Statement.read(
        "select id from alfred.connectors where user_id = $1 and provider = $2")

    // A later version is a refresh in between, unless the record was revoked since.
    private static let activateOne = Statement.write(
        """
        update alfred.connectors set status = 'ACTIVE', scopes = $4, connected_at = now(), revoked_at = null,
            last_error_code = null, updated_at = now()
        where id = $1 and user_id = $2
            and (record_version = $3 or record_version > $3 and status in ('ACTIVE', 'RECONNECT_REQUIRED'))
        """)

    private static let setRevoking = Statement.write(
        """
        update alfred.connectors set status = 'REVOKING',
            updated_at = case when status = 'REVOKING' then updated_at else now() end
        where id = $1 and user_id = $2 and status <> 'REVOKED'
        returning \(columns)
        """)

    private static let selectRevoking = Statement.read(
        """
        select c.user_id, c.id from alfred.connectors c join alfred.users u on u.id = c.user_id
        where c.status = 'REVOKING' and u.status = 'ACTIVE'
            and c.updated_at <= now() - make_interval(secs => $1)
            and c.updated_at > now() - make_interval(secs => $2)
        order by c.updated_at, c.id limit $3
        """)

    private static let setRevoked = Statement.write(
        """
        update alfred.connectors set status = 'REVOKED', revoked_at = now(), updated_at = now()
        where id = $1 and user_id = $2 and status <> 'REVOKED' and record_version <= $3
        """)

    private static let setReconnectRequired = Statement.write(
        """
        update alfred.connectors set status = 'RECONNECT_REQUIRED', last_error_code = $4, updated_at = now()
        where id = $1 and user_id = $2 and status = 'ACTIVE' and record_version = $3
        """)
}
