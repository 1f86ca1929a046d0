/// Writes DER, element by element, so that a test can write a wrong one too.
public enum DER {
    /// One element: tag, shortest length, content.
    public static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        guard count >= 0x80 else { return [tag, UInt8(count)] + content }
        guard count >= 0x100 else { return [tag, 0x81, UInt8(count)] + content }
        return [tag, 0x82, UInt8(count >> 8), UInt8(count & 0xff)] + content
    }

    public static func sequence(_ parts: [UInt8]...) -> [UInt8] { element(0x30, Array(parts.joined())) }

    public static func sequence(of parts: [[UInt8]]) -> [UInt8] { element(0x30, Array(parts.joined())) }

    public static func set(_ part: [UInt8]) -> [UInt8] { element(0x31, part) }

    public static func octets(_ bytes: [UInt8]) -> [UInt8] { element(0x04, bytes) }

    public static func bits(_ bytes: [UInt8], unused: UInt8 = 0) -> [UInt8] { element(0x03, [unused] + bytes) }

    public static let yes: [UInt8] = [0x01, 0x01, 0xff]

    /// A non-negative integer of big-endian bytes.
    public static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let value = Array(bytes.drop { $0 == 0 })
        guard let first = value.first else { return [0x02, 0x01, 0x00] }
        return element(0x02, (first >= 0x80 ? [0] : []) + value)
    }

    public static func integer(_ value: UInt8) -> [UInt8] { integer([value]) }

    /// An object identifier, such as `2.5.29.19`; arcs below 2^14.
    public static func identifier(_ text: String) -> [UInt8] {
        let arcs = text.split(separator: ".").compactMap { UInt64($0) }
        guard arcs.count >= 2 else { return element(0x06, []) }
        var content = [UInt8(arcs[0] * 40 + arcs[1])]
        for arc in arcs.dropFirst(2) {
            var groups = [UInt8(arc & 0x7f)]
            var rest = arc >> 7
            while rest > 0 {
                groups.append(UInt8(rest & 0x7f) | 0x80)
                rest >>= 7
            }
            content += groups.reversed()
        }
        return element(0x06, content)
    }

    /// UTCTime until 2049, GeneralizedTime after, as RFC 5280 has it.
    public static func time(_ unixSeconds: UInt64) -> [UInt8] {
        let days = Int(unixSeconds / 86_400)
        let seconds = Int(unixSeconds % 86_400)
        // Civil date of a day count, years beginning in March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let rest = [month, day, seconds / 3600, seconds / 60 % 60, seconds % 60].map(twoDigits).joined() + "Z"
        let isShort = year < 2050
        let text = (isShort ? "" : twoDigits(year / 100)) + twoDigits(year % 100) + rest
        return element(isShort ? 0x17 : 0x18, Array(text.utf8))
    }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
