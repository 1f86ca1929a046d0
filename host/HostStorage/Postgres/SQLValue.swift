import FoundationEssentials

/// One bound parameter. The case fixes the type, a `nil` inside is SQL NULL.
enum SQLValue: Sendable {
    case bool(Bool?)
    case int(Int64?)
    case double(Double?)
    case text(String?)
    case bytes([UInt8]?)
    case uuid(UUID?)
    case time(Date?)
    case json(String?)
    case texts([String])
    case uuids([UUID])
    case ints([Int64])
    case byteStrings([[UInt8]])

    static func int(_ value: Int) -> SQLValue { .int(Int64(value)) }

    /// The type's number in `pg_type`.
    var type: UInt32 {
        switch self {
        case .bool: 16
        case .bytes: 17
        case .int: 20
        case .text: 25
        case .double: 701
        case .byteStrings: 1001
        case .texts: 1009
        case .ints: 1016
        case .time: 1184
        case .uuid: 2950
        case .uuids: 2951
        case .json: 3802
        }
    }

    /// Appends the binary form; `false` for NULL.
    func encode(into buffer: inout [UInt8]) -> Bool {
        switch self {
        case .bool(let value): append(value, to: &buffer) { $1.append($0 ? 1 : 0) }
        case .int(let value): append(value, to: &buffer) { $1.appendBigEndian($0) }
        case .double(let value): append(value, to: &buffer) { $1.appendBigEndian($0.bitPattern) }
        case .text(let value): append(value, to: &buffer) { $1.append(contentsOf: $0.utf8) }
        case .bytes(let value): append(value, to: &buffer) { $1.append(contentsOf: $0) }
        case .uuid(let value): append(value, to: &buffer) { $1.append(contentsOf: $0.octets) }
        case .time(let value): append(value, to: &buffer) { $1.appendBigEndian($0.postgresMicroseconds) }
        case .json(let value):
            append(value, to: &buffer) {
                $1.append(1)
                $1.append(contentsOf: $0.utf8)
            }
        case .texts(let values): array(of: 25, values.map { Array($0.utf8) }, into: &buffer)
        case .uuids(let values): array(of: 2950, values.map(\.octets), into: &buffer)
        case .byteStrings(let values): array(of: 17, values, into: &buffer)
        case .ints(let values):
            array(
                of: 20,
                values.map { value in
                    var element: [UInt8] = []
                    element.appendBigEndian(value)
                    return element
                }, into: &buffer)
        }
    }

    private func append<Value>(_ value: Value?, to buffer: inout [UInt8], with write: (Value, inout [UInt8]) -> Void)
        -> Bool
    {
        guard let value else { return false }
        write(value, &buffer)
        return true
    }

    private func array(of type: Int32, _ elements: [[UInt8]], into buffer: inout [UInt8]) -> Bool {
        buffer.appendBigEndian(Int32(elements.isEmpty ? 0 : 1))
        buffer.appendBigEndian(Int32(0))
        buffer.appendBigEndian(type)
        guard !elements.isEmpty else { return true }
        buffer.appendBigEndian(Int32(elements.count))
        buffer.appendBigEndian(Int32(1))
        for element in elements {
            buffer.appendBigEndian(Int32(element.count))
            buffer.append(contentsOf: element)
        }
        return true
    }
}

extension [UInt8] {
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

extension UUID {
    /// The 16 bytes in the order they are written.
    var octets: [UInt8] {
        let u = uuid
        return [u.0, u.1, u.2, u.3, u.4, u.5, u.6, u.7, u.8, u.9, u.10, u.11, u.12, u.13, u.14, u.15]
    }
}

extension Date {
    /// Seconds from 1970 to 2000, where Postgres begins to count.
    private static let postgresEpoch: Double = 946_684_800

    var postgresMicroseconds: Int64 { Int64(((timeIntervalSince1970 - Self.postgresEpoch) * 1_000_000).rounded()) }

    init(postgresMicroseconds: Int64) {
        self.init(timeIntervalSince1970: Double(postgresMicroseconds) / 1_000_000 + Self.postgresEpoch)
    }
}
