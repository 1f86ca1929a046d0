public import FoundationEssentials

extension UUID {
    /// Version 7 of RFC 9562: jobs that are made one after the other lie together in the table's indexes.
    public static func timeOrdered() -> UUID {
        var id = UUID().uuid
        let now = UInt64(Date().timeIntervalSince1970 * 1000)
        (id.0, id.1, id.2) = (
            UInt8(truncatingIfNeeded: now >> 40), UInt8(truncatingIfNeeded: now >> 32),
            UInt8(truncatingIfNeeded: now >> 24)
        )
        (id.3, id.4, id.5) = (
            UInt8(truncatingIfNeeded: now >> 16), UInt8(truncatingIfNeeded: now >> 8), UInt8(truncatingIfNeeded: now)
        )
        id.6 = id.6 & 0x0F | 0x70
        return UUID(uuid: id)
    }
}
