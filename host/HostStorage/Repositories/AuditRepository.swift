import Foundation
public import FoundationEssentials

/// One stored audit event, as its user sees it.
public struct AuditEntry: Sendable, Equatable {
    public let id: UUID
    public let timestamp: Date
    public let eventType: String
    public let connector: String?
    public let succeeded: Bool
    public let metadata: [String: String]
}

/// A place in a user's audit events: everything older than it comes next.
public struct AuditCursor: Sendable, Equatable {
    public let microseconds: Int64
    public let id: UUID

    public init(microseconds: Int64, id: UUID) {
        self.microseconds = microseconds
        self.id = id
    }

    /// Before everything that any clock of ours can have written: the year 2096.
    static let newest = AuditCursor(microseconds: 3_999_999_999_999_999, id: UUID())

    /// Microseconds since 1970, `|`, UUID. Sixteen digits do not begin with zero: no clock writes them.
    public init?(_ text: String) {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...16).contains(parts[0].utf8.count),
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let microseconds = Int64(parts[0]),
            parts[0].utf8.count < 16 || parts[0].utf8.first != 0x30,
            microseconds < 4_000_000_000_000_000, let id = UUID(uuidString: String(parts[1]))
        else { return nil }
        self.init(microseconds: microseconds, id: id)
    }

    public var text: String { "\(microseconds)|\(id.uuidString.lowercased())" }
}

public struct AuditPage: Sendable {
    public let items: [AuditEntry]
    /// `nil` on the last page and only there.
    public let next: AuditCursor?
}

/// The audit trail: append and read, never change.
public struct AuditRepository: Sendable {
    /// Events to a page.
    public static let pageItems = 50

    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Writes an event on its own, for effects outside the database; other events go with their change's transaction.
    public func append(_ event: AuditEvent, for user: UUID) async throws(StorageError) {
        _ = try await pool.query(Self.insert, event.parameters(user))
    }

    /// Newest first; stable under inserts.
    public func page(
        of user: UUID, after cursor: AuditCursor? = nil, limit: Int = AuditRepository.pageItems
    ) async throws(StorageError) -> AuditPage {
        let start = cursor ?? .newest
        let rows = try await pool.query(
            Self.select, [.uuid(user), .int(start.microseconds), .uuid(start.id), .int(limit + 1)])
        let found = try rows.map { row throws(StorageError) in (try Self.entry(row), try row.int(6)) }
        let items = found.prefix(limit)
        guard found.count > limit, let last = items.last else { return AuditPage(items: items.map(\.0), next: nil) }
        return AuditPage(items: items.map(\.0), next: AuditCursor(microseconds: Int64(last.1), id: last.0.id))
    }

    private static func entry(_ row: Row) throws(StorageError) -> AuditEntry {
        guard let metadata = try? JSONDecoder().decode([String: String].self, from: Data(row.json(5))) else {
            throw .unreadableAnswer
        }
        return AuditEntry(
            id: try row.uuid(0), timestamp: try row.time(1), eventType: try row.text(2),
            connector: try row.optional(3, Row.text), succeeded: try row.bool(4), metadata: metadata)
    }

    static let insert = Statement.write(
        """
        insert into alfred.audit_events (user_id, event_type, connector, result, redacted_metadata)
        values ($1, $2, $3, $4, $5)
        """)

    // Nothing beside the comparison, which alone begins the scan of the index at the cursor: "or no cursor" would make
    // the plan that is kept for all cursors read every newer event.
    static let select = Statement.read(
        """
        select id, created_at, event_type, connector, result = 'SUCCESS', redacted_metadata,
            (extract(epoch from created_at) * 1000000)::bigint
        from alfred.audit_events
        where user_id = $1 and (created_at, id) < (timestamptz 'epoch' + $2 * interval '1 microsecond', $3)
        order by created_at desc, id desc
        limit $4
        """)
}

extension AuditEvent {
    func parameters(_ user: UUID) -> [SQLValue] {
        AuditRedactions.count(fields)
        return [.uuid(user), .text(type), .text(connector), .text(isFailure ? "FAILURE" : "SUCCESS"), .json(metadata)]
    }
}

extension Transaction {
    /// Writes an event with the change it reports.
    func audit(_ event: AuditEvent, for user: UUID) async throws(StorageError) {
        try await query(AuditRepository.insert, event.parameters(user))
    }
}
