/// An answer of Redis as a value.
public enum RedisReply: Sendable, Equatable {
    case null
    case integer(Int64)
    /// Bulk and status strings alike.
    case bytes([UInt8])
    case array([RedisReply])
    /// The error's first word; the rest may quote what was sent.
    case error(String)

    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    public var bytes: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
    public var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
    public var array: [RedisReply]? { if case .array(let value) = self { value } else { nil } }
}
