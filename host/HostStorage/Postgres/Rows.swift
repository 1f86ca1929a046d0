import FoundationEssentials

/// The answer to a statement, copied out of libpq: binary cells in one buffer.
struct Rows: Sendable {
    let columns: Int
    /// Rows returned.
    let count: Int
    /// Rows written, for statements that return none.
    let affected: Int
    /// The answer to a `commit` that could not commit.
    let isRollback: Bool
    /// Per cell the end of its bytes; negative for NULL (then the end, inverted).
    fileprivate let ends: [Int]
    fileprivate let bytes: [UInt8]

    init(columns: Int, count: Int, affected: Int, isRollback: Bool, ends: [Int], bytes: [UInt8]) {
        self.columns = columns
        self.count = count
        self.affected = affected
        self.isRollback = isRollback
        self.ends = ends
        self.bytes = bytes
    }

    static let none = Rows(columns: 0, count: 0, affected: 0, isRollback: false, ends: [], bytes: [])

    var first: Row? { count > 0 ? Row(rows: self, index: 0) : nil }

    /// The first row, which the statement always returns.
    func required() throws(StorageError) -> Row {
        guard let first else { throw .unreadableAnswer }
        return first
    }

    func map<Value>(_ read: (Row) throws(StorageError) -> Value) throws(StorageError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count { values.append(try read(Row(rows: self, index: index))) }
        return values
    }
}

/// One row; columns are read by position, each as the type the statement gives it.
struct Row: Sendable {
    fileprivate let rows: Rows
    fileprivate let index: Int

    private func cell(_ column: Int) throws(StorageError) -> ArraySlice<UInt8>? {
        guard column < rows.columns else { throw .unreadableAnswer }
        let position = index * rows.columns + column
        let end = rows.ends[position]
        guard end >= 0 else { return nil }
        let start = position == 0 ? 0 : rows.ends[position - 1]
        return rows.bytes[(start < 0 ? ~start : start)..<end]
    }

    private func required(_ column: Int) throws(StorageError) -> ArraySlice<UInt8> {
        guard let cell = try cell(column) else { throw .unreadableAnswer }
        return cell
    }

    func isNull(_ column: Int) throws(StorageError) -> Bool { try cell(column) == nil }

    func bool(_ column: Int) throws(StorageError) -> Bool { try required(column).first == 1 }

    /// Any of int2, int4 and int8.
    func int(_ column: Int) throws(StorageError) -> Int {
        let cell = try required(column)
        switch cell.count {
        case 2: return Int(Int16(truncatingIfNeeded: cell.bigEndian))
        case 4: return Int(Int32(truncatingIfNeeded: cell.bigEndian))
        case 8: return Int(Int64(truncatingIfNeeded: cell.bigEndian))
        default: throw .unreadableAnswer
        }
    }

    func double(_ column: Int) throws(StorageError) -> Double {
        let cell = try required(column)
        guard cell.count == 8 else { throw .unreadableAnswer }
        return Double(bitPattern: cell.bigEndian)
    }

    func bytes(_ column: Int) throws(StorageError) -> [UInt8] { Array(try required(column)) }

    /// text, varchar and (without its version byte) jsonb.
    func text(_ column: Int) throws(StorageError) -> String { String(decoding: try required(column), as: UTF8.self) }

    func json(_ column: Int) throws(StorageError) -> [UInt8] {
        let cell = try required(column)
        guard cell.first == 1 else { throw .unreadableAnswer }
        return Array(cell.dropFirst())
    }

    func uuid(_ column: Int) throws(StorageError) -> UUID {
        let b = Array(try required(column))
        guard b.count == 16 else { throw .unreadableAnswer }
        return UUID(
            uuid: (
                b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]
            ))
    }

    func time(_ column: Int) throws(StorageError) -> Date {
        let cell = try required(column)
        guard cell.count == 8 else { throw .unreadableAnswer }
        return Date(postgresMicroseconds: Int64(bitPattern: cell.bigEndian))
    }

    /// A one-dimensional array without NULLs.
    func texts(_ column: Int) throws(StorageError) -> [String] {
        var rest = try required(column)
        func take(_ count: Int) throws(StorageError) -> ArraySlice<UInt8> {
            guard count >= 0, rest.count >= count else { throw .unreadableAnswer }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        guard try take(4).bigEndian > 0 else { return [] }
        _ = try take(8)
        let count = Int(try take(4).bigEndian)
        _ = try take(4)
        var values: [String] = []
        for _ in 0..<count {
            let length = Int(Int32(truncatingIfNeeded: try take(4).bigEndian))
            values.append(String(decoding: try take(length), as: UTF8.self))
        }
        return values
    }

    /// `nil` for NULL, else what `read` makes of the column.
    func optional<Value>(
        _ column: Int, _ read: (Row) -> (Int) throws(StorageError) -> Value
    ) throws(StorageError) -> Value? {
        try isNull(column) ? nil : try read(self)(column)
    }
}

extension ArraySlice<UInt8> {
    /// Up to eight bytes as a number, most significant first.
    var bigEndian: UInt64 { reduce(0) { $0 << 8 | UInt64($1) } }
}
