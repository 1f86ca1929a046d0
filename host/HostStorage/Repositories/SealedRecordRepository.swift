public import FoundationEssentials

/// A connector's sealed record with the metadata beside it, as stored.
public struct StoredRecord: Sendable, Equatable {
    public let sealed: [UInt8]
    public let provider: ConnectorProvider
    public let recordVersion: Int64
    public let keyID: String
    public let keyVersion: Int
}

/// A write of the record port: compare-and-swap on the record's version.
public struct SealedRecordWrite: Sendable {
    public var user: UUID
    public var connector: UUID
    public var provider: ConnectorProvider
    /// The version that was read; 0 inserts.
    public var expectedVersion: Int64
    public var newVersion: Int64
    public var keyID: String
    public var keyVersion: Int
    public var sealed: [UInt8]

    public init(
        user: UUID, connector: UUID, provider: ConnectorProvider, expectedVersion: Int64, newVersion: Int64,
        keyID: String, keyVersion: Int, sealed: [UInt8]
    ) {
        self.user = user
        self.connector = connector
        self.provider = provider
        self.expectedVersion = expectedVersion
        self.newVersion = newVersion
        self.keyID = keyID
        self.keyVersion = keyVersion
        self.sealed = sealed
    }
}

public enum SealedRecordOutcome: Sendable {
    case stored
    /// Another version is there: read again.
    case conflict
    /// The user is deleted: it will never be stored.
    case refused
}

public struct StoredKey: Sendable, Equatable {
    public let wrapped: [UInt8]
    public let lineageMAC: [UInt8]?
    public let kmsProvider: String
}

/// The record port's storage: the only reader and writer of sealed connector records and wrapped data keys.
///
/// To be given a pool of its own with two connections, so that a busy host cannot hold up a rotation.
public struct SealedRecordRepository: Sendable {
    private let pool: PostgresPool
    private let keepsStatus: Bool

    /// A port over `pool`; one that `keepsStatus` re-seals what is there and changes nothing else of a row.
    public init(_ pool: PostgresPool, keepsStatus: Bool = false) {
        self.pool = pool
        self.keepsStatus = keepsStatus
    }

    public func get(user: UUID, connector: UUID) async throws(StorageError) -> StoredRecord? {
        try await record(Self.select, user, connector)
    }

    /// The record of an erased user that still waits for its revocation.
    public func getPending(user: UUID, connector: UUID) async throws(StorageError) -> StoredRecord? {
        try await record(Self.selectPending, user, connector)
    }

    private func record(
        _ statement: Statement, _ user: UUID, _ connector: UUID
    ) async throws(StorageError) -> StoredRecord? {
        guard let row = try await pool.query(statement, [.uuid(connector), .uuid(user)]).first else { return nil }
        guard let provider = ConnectorProvider(rawValue: try row.text(1)) else { throw .unreadableAnswer }
        return StoredRecord(
            sealed: try row.bytes(0), provider: provider, recordVersion: Int64(try row.int(2)),
            keyID: try row.text(3), keyVersion: try row.int(4))
    }

    /// Stores a record if the expected version is still there. Repeating a write that was stored is stored again.
    ///
    /// A first write makes the row RECONNECT_REQUIRED, and so does a write over a REVOKED one: only a completed connect
    /// makes it ACTIVE, and a live grant whose connect never completed must be there to be revoked.
    public func put(_ write: SealedRecordWrite) async throws(StorageError) -> SealedRecordOutcome {
        guard write.expectedVersion >= 0, write.newVersion == write.expectedVersion + 1 else { return .conflict }
        do {
            let update = keepsStatus ? Self.reseal : Self.update
            let statement = write.expectedVersion == 0 ? Self.insert : update
            if try await pool.query(statement, write.parameters).affected == 1 { return .stored }
            let same = try await pool.query(Self.selectSame, write.parameters)
            return same.count == 1 ? .stored : .conflict
        } catch {
            switch error {
            case .userDeleted: return .refused
            case .unique: return .conflict
            default: throw error
            }
        }
    }

    /// Stores a tombstone, or the same token sealed anew, where the record of an erased user waits.
    public func putPending(_ write: SealedRecordWrite) async throws(StorageError) -> SealedRecordOutcome {
        guard write.expectedVersion >= 1, write.newVersion == write.expectedVersion + 1 else { return .conflict }
        if try await pool.query(Self.updatePending, write.parameters).affected == 1 { return .stored }
        return try await pool.query(Self.selectSamePending, write.parameters).count == 1 ? .stored : .conflict
    }

    public func wrappedKey(keyID: String, version: Int) async throws(StorageError) -> StoredKey? {
        guard let row = try await pool.query(Self.selectKey, [.text(keyID), .int(version)]).first else { return nil }
        return StoredKey(
            wrapped: try row.bytes(0), lineageMAC: try row.optional(1, Row.bytes), kmsProvider: try row.text(2))
    }

    /// Inserts a wrapped key only where its id and version are absent; nothing overwrites one.
    ///
    /// - Returns: `false` when another was there first; the caller reads that one.
    public func insertWrappedKey(
        keyID: String, version: Int, kmsProvider: String, wrapped: [UInt8], lineageMAC: [UInt8]?
    ) async throws(StorageError) -> Bool {
        try await repeating(3) { () throws(StorageError) in
            try await pool.withTransaction { tx throws(StorageError) in
                try await tx.query(Self.retireOlder, [.text(keyID), .int(version)])
                let parameters: [SQLValue] = [
                    .text(keyID), .int(version), .text(kmsProvider), .bytes(wrapped), .bytes(lineageMAC),
                ]
                return try await tx.query(Self.insertKey, parameters).affected == 1
            }
        }
    }
}

extension SealedRecordWrite {
    fileprivate var parameters: [SQLValue] {
        [
            .uuid(connector), .uuid(user), .text(provider.rawValue), .int(expectedVersion), .int(newVersion),
            .text(keyID), .int(keyVersion), .bytes(sealed),
        ]
    }
}

extension SealedRecordRepository {
    private static let select = Statement.read(
        """
        select refresh_token_ciphertext, provider, record_version, token_key_id, token_version
        from alfred.connectors where id = $1 and user_id = $2
        """)

    private static let selectPending = Statement.read(
        """
        select refresh_token_ciphertext, provider, record_version, token_key_id, token_version
        from alfred.pending_revocations where connector_id = $1 and user_id = $2
        """)

    private static let updatePending = Statement.write(
        """
        update alfred.pending_revocations set record_version = $5, token_key_id = $6, token_version = $7,
            refresh_token_ciphertext = $8
        where connector_id = $1 and user_id = $2 and provider = $3 and record_version = $4
        """)

    private static let selectSamePending = Statement.read(
        """
        select from alfred.pending_revocations
        where connector_id = $1 and user_id = $2 and provider = $3 and $4 >= 0 and record_version = $5
            and token_key_id = $6 and token_version = $7 and refresh_token_ciphertext = $8
        """)

    private static let insert = Statement.write(
        """
        insert into alfred.connectors (
            id, user_id, provider, record_version, token_key_id, token_version, refresh_token_ciphertext, status)
        select $1, $2, $3, $5, $6, $7, $8, 'RECONNECT_REQUIRED' where $4 = 0
        on conflict do nothing
        """)

    private static let update = Statement.write(
        """
        update alfred.connectors set record_version = $5, token_key_id = $6, token_version = $7,
            refresh_token_ciphertext = $8, token_rotated_at = now(), updated_at = now(), revoked_at = null,
            status = case status when 'REVOKED' then 'RECONNECT_REQUIRED' else status end
        where id = $1 and user_id = $2 and provider = $3 and record_version = $4
        """)

    private static let reseal = Statement.write(
        """
        update alfred.connectors set record_version = $5, token_key_id = $6, token_version = $7,
            refresh_token_ciphertext = $8, token_rotated_at = now(), updated_at = now()
        where id = $1 and user_id = $2 and provider = $3 and record_version = $4
        """)

    private static let selectSame = Statement.read(
        """
        select from alfred.connectors
        where id = $1 and user_id = $2 and provider = $3 and $4 >= 0 and record_version = $5 and token_key_id = $6
            and token_version = $7 and refresh_token_ciphertext = $8
        """)

    private static let selectKey = Statement.read(
        """
        select wrapped_key, lineage_mac, kms_provider from alfred.wrapped_data_keys
        where key_id = $1 and key_version = $2
        """)

    private static let retireOlder = Statement.write(
        """
        update alfred.wrapped_data_keys set state = 'DECRYPT_ONLY'
        where key_id = $1 and key_version < $2 and state = 'ACTIVE'
            and not exists (select from alfred.wrapped_data_keys where key_id = $1 and key_version = $2)
        """)

    private static let insertKey = Statement.write(
        """
        insert into alfred.wrapped_data_keys (key_id, key_version, kms_provider, wrapped_key, lineage_mac, state)
        select $1, $2, $3, $4, $5, case when exists (
            select from alfred.wrapped_data_keys where key_id = $1 and key_version > $2)
            then 'DECRYPT_ONLY' else 'ACTIVE' end
        on conflict (key_id, key_version) do nothing
        """)
}
