public import FoundationEssentials

/// What the operator's key commands read and write: sealed columns, their key versions, and how far a rotation is.
public struct KeyRotationRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Rows per table and key version.
    public func uses() async throws(StorageError) -> [KeyUse] {
        var uses: [KeyUse] = []
        for table in SealedTable.allCases {
            uses += try await pool.query(table.countByVersion).map { row throws(StorageError) in
                KeyUse(table: table, keyVersion: try row.int(0), rows: try row.int(1))
            }
        }
        return uses
    }

    /// Every wrapped data key, oldest version first.
    public func wrappedKeys() async throws(StorageError) -> [WrappedKeyState] {
        try await pool.query(Self.selectKeys).map { row throws(StorageError) in
            WrappedKeyState(
                keyID: try row.text(0), version: try row.int(1), state: try row.text(2), hasLineage: try row.bool(3))
        }
    }

    /// Rows of `table` that are not under `version`, behind `last`, in the order of their ids.
    public func rows(
        of table: SealedTable, notUnder version: Int, after last: UUID?, atMost count: Int
    ) async throws(StorageError) -> [SealedRow] {
        try await pool.query(table.selectOutdated, [.int(version), .uuid(last), .int(count)]).map {
            row throws(StorageError) in
            SealedRow(
                id: try row.uuid(0), user: try row.uuid(1), recordID: try row.text(2),
                recordVersion: Int64(try row.int(3)), sealed: try row.bytes(4))
        }
    }

    /// Puts new sealed bytes where the old ones still are; whatever changed meanwhile stays as it is.
    ///
    /// - Returns: how many rows were written.
    public func replace(
        in table: SealedTable, _ rows: [(row: SealedRow, sealed: [UInt8])], keyVersion: Int
    ) async throws(StorageError) -> Int {
        do {
            return try await replaceTogether(table, rows, keyVersion)
        } catch .userDeleted {
            // One of the users is being deleted: the others' rows are written one by one.
            var written = 0
            for row in rows {
                do {
                    written += try await replaceTogether(table, [row], keyVersion)
                } catch .userDeleted { continue }
            }
            return written
        }
    }

    private func replaceTogether(
        _ table: SealedTable, _ rows: [(row: SealedRow, sealed: [UInt8])], _ keyVersion: Int
    ) async throws(StorageError) -> Int {
        let parameters: [SQLValue] = [
            .uuids(rows.map(\.row.id)), .byteStrings(rows.map(\.row.sealed)), .byteStrings(rows.map(\.sealed)),
            .int(keyVersion),
        ]
        return try await pool.query(table.replace, parameters).affected
    }

    // MARK: - Progress

    /// How far the re-sealing of `table` came; nil when it never began.
    public func progress(of table: SealedTable, to version: Int) async throws(StorageError) -> RewrapProgress? {
        let parameters: [SQLValue] = [.int(version), .text(table.rawValue)]
        guard let row = try await pool.query(Self.selectProgress, parameters).first else { return nil }
        return RewrapProgress(
            lastID: try row.optional(0, Row.uuid), total: try row.int(1), done: try row.int(2),
            failed: try row.int(3), isDone: try row.text(4) == "DONE")
    }

    /// Notes how far the re-sealing of `table` is.
    public func save(
        _ progress: RewrapProgress, of table: SealedTable, from lowest: Int, to version: Int
    ) async throws(StorageError) {
        let parameters: [SQLValue] = [
            .int(lowest), .int(version), .text(table.rawValue), .uuid(progress.lastID), .int(progress.total),
            .int(progress.done), .int(progress.failed), .text(progress.isDone ? "DONE" : "RUNNING"),
        ]
        _ = try await pool.query(Self.saveProgress, parameters)
    }

    /// Marks every wrapped key of `version` as retired.
    ///
    /// - Returns: how many there are.
    public func retire(version: Int) async throws(StorageError) -> Int {
        try await pool.query(Self.retireKeys, [.int(version)]).affected
    }
}

extension SealedTable {
    fileprivate var countByVersion: Statement {
        .read(
            """
            select \(versionColumn), count(*) from alfred.\(rawValue) where \(sealedColumn) is not null
            group by 1 order by 1
            """)
    }

    fileprivate var selectOutdated: Statement {
        .read(
            """
            select id, user_id, \(recordID), \(recordVersion), \(sealedColumn) from alfred.\(rawValue) t
            where \(versionColumn) <> $1 and \(sealedColumn) is not null and ($2::uuid is null or t.id > $2)
            order by t.id limit $3
            """)
    }

    fileprivate var replace: Statement {
        .write(
            """
            update alfred.\(rawValue) t set \(sealedColumn) = n.new, \(versionColumn) = $4
            from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as n (id, old, new)
            where t.id = n.id and t.\(sealedColumn) = n.old
            """)
    }
}

extension KeyRotationRepository {
    private static let selectKeys = Statement.read(
        """
        select key_id, key_version, state, lineage_mac is not null from alfred.wrapped_data_keys
        order by key_id, key_version
        """)

    private static let selectProgress = Statement.read(
        """
        select last_id, total, done, failed, state from alfred.key_rewrap_runs
        where to_version = $1 and table_name = $2
        """)

    private static let saveProgress = Statement.write(
        """
        insert into alfred.key_rewrap_runs as r
            (from_version, to_version, table_name, last_id, total, done, failed, state)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (to_version, table_name) do update set from_version = excluded.from_version,
            last_id = excluded.last_id, total = excluded.total, done = excluded.done, failed = excluded.failed,
            state = excluded.state, updated_at = now()
        """)

    private static let retireKeys = Statement.write(
        """
        update alfred.wrapped_data_keys set state = 'RETIRED', retired_at = coalesce(retired_at, now())
        where key_version = $1
        """)
}
