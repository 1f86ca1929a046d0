/// SQL text with the way it is run. Exists in this module only, so that no other can hold SQL.
struct Statement: Sendable {
    enum Way: Sendable {
        /// Never waits for a row lock: shares a pipelined connection with other reads.
        case read
        /// May wait for locks: has a connection to itself while it runs.
        case write
    }

    let sql: String
    let way: Way

    static func read(_ sql: String) -> Statement { Statement(sql: sql, way: .read) }
    static func write(_ sql: String) -> Statement { Statement(sql: sql, way: .write) }
}

/// Encoded parameters: types, lengths (negative for NULL) and one buffer.
struct EncodedParameters: Sendable {
    private(set) var types: [UInt32] = []
    private(set) var lengths: [Int32] = []
    private(set) var starts: [Int] = []
    private(set) var bytes: [UInt8] = []

    init(_ values: [SQLValue]) {
        types.reserveCapacity(values.count)
        for value in values {
            let start = bytes.count
            types.append(value.type)
            starts.append(start)
            lengths.append(value.encode(into: &bytes) ? Int32(bytes.count - start) : -1)
        }
    }
}
