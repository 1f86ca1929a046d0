public import FoundationEssentials

public enum DeviceEnvironment: String, CaseIterable, Sendable {
    case sandbox, production

    public var other: DeviceEnvironment { self == .sandbox ? .production : .sandbox }
}

/// What registering a device stores; the token is sealed by the enclave under the device identifier.
public struct DeviceRegistration: Sendable {
    public var user: UUID
    /// The app's name for the device, 1–128 of `[A-Za-z0-9._:-]`.
    public var deviceIdentifier: String
    public var sealedToken: [UInt8]
    /// SHA-256 of the token, to find the same token under another user or device.
    public var tokenSHA256: [UInt8]
    public var sealedKeyVersion: Int
    public var environment: DeviceEnvironment

    public init(
        user: UUID, deviceIdentifier: String, sealedToken: [UInt8], tokenSHA256: [UInt8], sealedKeyVersion: Int,
        environment: DeviceEnvironment
    ) {
        self.user = user
        self.deviceIdentifier = deviceIdentifier
        self.sealedToken = sealedToken
        self.tokenSHA256 = tokenSHA256
        self.sealedKeyVersion = sealedKeyVersion
        self.environment = environment
    }
}

public struct Device: Sendable, Equatable {
    public let id: UUID
    public let deviceIdentifier: String
    public let sealedToken: [UInt8]
    public let sealedKeyVersion: Int
    public let environment: DeviceEnvironment
    public let tokenRegisteredAt: Date
}

public struct DeviceRepository: Sendable {
    /// A user's devices; beyond it the least recently registered one goes.
    public static let maximumPerUser = 20
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Inserts or renews a device. The token leaves every other row that has it, whoever owns that row.
    public func register(_ device: DeviceRegistration) async throws(StorageError) -> UUID {
        try await repeating(3) { () throws(StorageError) in
            try await pool.withTransaction { tx throws(StorageError) in
                let moved = try await tx.query(
                    Self.deleteMoved, [.bytes(device.tokenSHA256), .uuid(device.user)])
                for row in try moved.map({ row throws(StorageError) in row }) {
                    try await Self.auditMoved(row, in: tx)
                }
                let renamed = try await tx.query(
                    Self.setAside, [.bytes(device.tokenSHA256), .uuid(device.user), .text(device.deviceIdentifier)])
                let id = try await tx.query(Self.upsert, device.parameters).required().uuid(0)
                for row in try renamed.map({ row throws(StorageError) in row }) {
                    try await tx.query(Self.moveWaiting, [.uuid(id), .uuid(try row.uuid(3))])
                    try await tx.query(Self.deleteOne, [.uuid(try row.uuid(3))])
                    try await Self.auditMoved(row, in: tx)
                }
                try await tx.query(Self.deleteSurplus, [.uuid(device.user), .int(Self.maximumPerUser)])
                let due = try await tx.query(Self.makeSchedulesDue, [.uuid(device.user)])
                if due.count > 0 { try await tx.query(JobRepository.announce) }
                try await tx.audit(
                    .deviceRegistered(deviceIdentifier: device.deviceIdentifier, environment: device.environment),
                    for: device.user)
                return id
            }
        }
    }

    private static func auditMoved(_ row: Row, in tx: Transaction) async throws(StorageError) {
        let owner = try row.uuid(0)
        // A deleted owner's row goes without a trace: nothing is written for that user any more.
        guard try await tx.query(Self.isActive, [.uuid(owner)]).count > 0 else { return }
        let event = AuditEvent.deviceDisabled(
            deviceIdentifier: try row.text(1), environment: try Self.environment(row, 2), reason: "token_moved",
            job: nil)
        try await tx.audit(event, for: owner)
    }

    public func enabledDevices(of user: UUID) async throws(StorageError) -> [Device] {
        try await pool.query(Self.enabled, [.uuid(user)]).map { row throws(StorageError) in
            Device(
                id: try row.uuid(0), deviceIdentifier: try row.text(1), sealedToken: try row.bytes(2),
                sealedKeyVersion: try row.int(3), environment: try Self.environment(row, 4),
                tokenRegisteredAt: try row.time(5))
        }
    }

    /// Disables a device with its audit row; `false` when it was gone or disabled already.
    ///
    /// With `registeredBefore` a device whose token was registered later stays.
    public func disable(
        _ id: UUID, of user: UUID, reason: String, job: AuditJob? = nil, registeredBefore: Date? = nil
    ) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            try await Self.disable(id, of: user, reason: reason, job: job, registeredBefore: registeredBefore, in: tx)
        }
    }

    static func disable(
        _ id: UUID, of user: UUID, reason: String, job: AuditJob?, registeredBefore: Date?, in tx: Transaction
    ) async throws(StorageError) -> Bool {
        let rows = try await tx.query(
            Self.disableOne, [.uuid(id), .uuid(user), .text(reason), .time(registeredBefore)])
        guard let row = rows.first else { return false }
        let event = AuditEvent.deviceDisabled(
            deviceIdentifier: try row.text(0), environment: try environment(row, 1), reason: reason, job: job)
        try await tx.audit(event, for: user)
        return true
    }

    /// Moves a device to the other environment, with its audit row; one whose token was registered later stays.
    static func correct(
        _ id: UUID, of user: UUID, to environment: DeviceEnvironment, registeredBefore: Date, job: AuditJob?,
        in tx: Transaction
    ) async throws(StorageError) {
        let parameters: [SQLValue] = [
            .uuid(id), .uuid(user), .text(environment.other.rawValue), .text(environment.rawValue),
            .time(registeredBefore),
        ]
        guard let row = try await tx.query(Self.correctOne, parameters).first else { return }
        let event = AuditEvent.deviceEnvironmentCorrected(
            deviceIdentifier: try row.text(0), environment: environment, job: job)
        try await tx.audit(event, for: user)
    }

    static func environment(_ row: Row, _ column: Int) throws(StorageError) -> DeviceEnvironment {
        guard let environment = DeviceEnvironment(rawValue: try row.text(column)) else { throw .unreadableAnswer }
        return environment
    }
}

extension DeviceRegistration {
    fileprivate var parameters: [SQLValue] {
        [
            .uuid(user), .text(deviceIdentifier), .bytes(sealedToken), .bytes(tokenSHA256), .int(sealedKeyVersion),
            .text(environment.rawValue),
        ]
    }
}

extension DeviceRepository {
    private static let isActive = Statement.read("select from alfred.users where id = $1 and status = 'ACTIVE'")

    private static let deleteMoved = Statement.write(
        """
        delete from alfred.devices
        where apns_token_sha256 = $1 and user_id <> $2
        returning user_id, device_identifier, environment
        """)

    // The same device under another name of its user: it gives the token up, what waits for it moves, then it goes.
    private static let setAside = Statement.write(
        """
        update alfred.devices set apns_token_sha256 = sha256(id::text::bytea)
        where apns_token_sha256 = $1 and user_id = $2 and device_identifier <> $3
        returning user_id, device_identifier, environment, id
        """)

    private static let moveWaiting = Statement.write(
        """
        update alfred.push_outbox p set device_id = $1, updated_at = now()
        where device_id = $2 and state in ('PENDING', 'SENDING') and not exists (
            select from alfred.push_outbox q
            where q.user_id = p.user_id and q.action_key = p.action_key and q.device_id = $1)
        """)

    private static let deleteOne = Statement.write("delete from alfred.devices where id = $1")

    private static let upsert = Statement.write(
        """
        insert into alfred.devices (
            user_id, device_identifier, apns_token_ciphertext, apns_token_sha256, sealed_key_version, environment)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (user_id, device_identifier) do update set
            apns_token_ciphertext = excluded.apns_token_ciphertext, apns_token_sha256 = excluded.apns_token_sha256,
            sealed_key_version = excluded.sealed_key_version, environment = excluded.environment,
            token_registered_at = now(), disabled_at = null, disabled_reason = null, updated_at = now()
        returning id
        """)

    private static let deleteSurplus = Statement.write(
        """
        delete from alfred.devices where id in (
            select id from alfred.devices where user_id = $1
            order by token_registered_at desc, updated_at desc, id offset $2)
        """)

    private static let makeSchedulesDue = Statement.write(
        """
        update alfred.schedules set next_run_at = now(), updated_at = now()
        where user_id = $1 and enabled and kind in ('CALENDAR_SCAN', 'URGENT_EMAIL_CHECK')
        returning id
        """)

    private static let enabled = Statement.read(
        """
        select id, device_identifier, apns_token_ciphertext, sealed_key_version, environment, token_registered_at
        from alfred.devices where user_id = $1 and disabled_at is null order by token_registered_at desc, id limit 20
        """)

    private static let correctOne = Statement.write(
        """
        update alfred.devices set environment = $4, updated_at = now()
        where id = $1 and user_id = $2 and environment = $3 and token_registered_at <= $5
        returning device_identifier
        """)

    private static let disableOne = Statement.write(
        """
        update alfred.devices set disabled_at = now(), disabled_reason = $3, updated_at = now()
        where id = $1 and user_id = $2 and disabled_at is null
            and ($4::timestamptz is null or token_registered_at <= $4)
        returning device_identifier, environment
        """)
}
