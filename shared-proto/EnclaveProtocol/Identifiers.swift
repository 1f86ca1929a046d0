public import FoundationEssentials

/// Alfred's id of a user: UUIDv5 of Clerk's issuer and subject, made by the API.
public struct UserID: Hashable, Sendable {
    /// The UUID, lower case in text.
    public let uuid: UUID
    /// Wraps a UUID.
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// Id of one user's connection to one provider; survives reconnecting.
public struct ConnectorID: Hashable, Sendable {
    /// The UUID, lower case in text.
    public let uuid: UUID
    /// Wraps a UUID.
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// Id of the stored OAuth state that a sealed PKCE verifier belongs to.
public struct OAuthStateID: Hashable, Sendable {
    /// The UUID, lower case in text.
    public let uuid: UUID
    /// Wraps a UUID.
    public init(_ uuid: UUID) { self.uuid = uuid }
}

extension UUID {
    /// The 16 bytes in network order (RFC 9562 §4).
    public var networkBytes: [UInt8] {
        let value = uuid
        return [
            value.0, value.1, value.2, value.3, value.4, value.5, value.6, value.7,
            value.8, value.9, value.10, value.11, value.12, value.13, value.14, value.15,
        ]
    }

    /// A UUID from 16 bytes in network order, nil for any other count.
    public init?(networkBytes bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
            ))
    }

    /// Lower-case text with hyphens.
    public var lowercased: String { uuidString.lowercased() }
}

extension CBORWriter {
    /// Appends a UUID as a byte string of 16.
    public mutating func uuid(_ value: UUID) { bytes(value.networkBytes) }
}

extension CBORReader {
    /// Reads a UUID.
    public mutating func uuid() throws(CBORError) -> UUID {
        guard let value = UUID(networkBytes: try bytes(exactly: 16)) else { throw .outOfRange }
        return value
    }
}
