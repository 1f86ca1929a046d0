/// Request of `google.refresh` and `google.revoke`: `[user, connector]`.
public struct ConnectorReference: WireMessage, Equatable, Hashable {
    /// Owner of the connector; bound into the sealed record.
    public let user: UserID
    /// The connector.
    public let connector: ConnectorID

    /// A reference.
    public init(user: UserID, connector: ConnectorID) {
        self.user = user
        self.connector = connector
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(user, connector)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        user = UserID(try reader.uuid())
        connector = ConnectorID(try reader.uuid())
        reader.end()
    }
}

/// Answer of `google.refresh`: `[seconds until the cached access token expires, record version]`; never a token.
public struct GoogleRefreshAnswer: WireMessage, Equatable {
    /// Seconds until expiry at Google.
    public let expiresInSeconds: UInt32
    /// Version of the sealed record that is current now.
    public let recordVersion: UInt64

    /// An answer.
    public init(expiresInSeconds: UInt32, recordVersion: UInt64) {
        self.expiresInSeconds = expiresInSeconds
        self.recordVersion = recordVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(expiresInSeconds, recordVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        expiresInSeconds = UInt32(try reader.unsigned(in: 0...0xFFFF_FFFF))
        recordVersion = try reader.unsigned()
        reader.end()
    }
}

/// The allow-list of what may be read from Google, with all its parameters.
public enum GoogleResource: Sendable, Equatable {
    /// Events of the primary calendar; times RFC 3339 UTC, at most 8 days apart; 1–50 results.
    case calendarEvents(timeMin: String, timeMax: String, maxResults: UInt8, pageToken: String?)
    /// Inbox messages of the last 1–7 days; 1–50 results.
    case gmailMessages(newerThanDays: UInt8, unread: Bool, maxResults: UInt8)
    /// From, Subject, Date and Content-Type of one message; id `[A-Za-z0-9_-]{1,64}`.
    case gmailMetadata(id: String)

    /// The name in documents and metrics.
    public var name: String {
        switch self {
        case .calendarEvents: "calendar.events.list"
        case .gmailMessages: "gmail.messages.list"
        case .gmailMetadata: "gmail.messages.metadata"
        }
    }
}

extension GoogleResource: WireMessage {
    public func write(to writer: inout CBORWriter) {
        switch self {
        case .calendarEvents(let timeMin, let timeMax, let maxResults, let pageToken):
            writer.tuple(UInt64(1), timeMin, timeMax, UInt16(maxResults), pageToken)
        case .gmailMessages(let newerThanDays, let unread, let maxResults):
            writer.tuple(UInt64(2), UInt16(newerThanDays), unread, UInt16(maxResults))
        case .gmailMetadata(let id):
            writer.tuple(UInt64(3), id)
        }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        let count = try reader.array(atMost: 5)
        switch (try reader.unsigned(in: 1...3), count) {
        case (1, 5):
            self = .calendarEvents(
                timeMin: try reader.text(atMost: Limits.maximumDateTimeBytes),
                timeMax: try reader.text(atMost: Limits.maximumDateTimeBytes),
                maxResults: UInt8(try reader.unsigned(in: 1...50)),
                pageToken: try reader.optionalText(atMost: Limits.maximumPageTokenBytes))
        case (2, 4):
            self = .gmailMessages(
                newerThanDays: UInt8(try reader.unsigned(in: 1...7)), unread: try reader.bool(),
                maxResults: UInt8(try reader.unsigned(in: 1...50)))
        case (3, 2):
            self = .gmailMetadata(id: try reader.text(atMost: Limits.maximumMessageIDBytes))
        default: throw .outOfRange
        }
        reader.end()
    }
}

/// Request of `google.get`: `[user, connector, resource]`.
public struct GoogleGet: WireMessage, Equatable {
    /// Whose connector is used.
    public let reference: ConnectorReference
    /// What is read.
    public let resource: GoogleResource

    /// A request.
    public init(reference: ConnectorReference, resource: GoogleResource) {
        self.reference = reference
        self.resource = resource
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(reference, resource)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        reference = try ConnectorReference(from: &reader)
        resource = try GoogleResource(from: &reader)
        reader.end()
    }
}

/// Answer of `google.get`: `[HTTP status, body, retry after / null]`.
public struct GoogleGetAnswer: WireMessage, Equatable {
    /// Status of Google's answer, 200–599 without 3xx.
    public let status: UInt16
    /// Body of Google's answer, at most 1 MiB.
    public let body: [UInt8]
    /// `Retry-After` in seconds, at most 86,400.
    public let retryAfterSeconds: UInt32?

    /// An answer.
    public init(status: UInt16, body: [UInt8], retryAfterSeconds: UInt32?) {
        self.status = status
        self.body = body
        self.retryAfterSeconds = retryAfterSeconds
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(status, body, retryAfterSeconds)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        status = UInt16(try reader.unsigned(in: 100...599))
        body = try reader.bytes(atMost: Limits.maximumProviderBodyBytes)
        retryAfterSeconds = reader.null() ? nil : UInt32(try reader.unsigned(in: 0...86_400))
        reader.end()
    }
}

/// Answer of `google.revoke`: `[outcome, record version of the tombstone]`.
public struct GoogleRevokeAnswer: WireMessage, Equatable {
    /// What Google said.
    public enum Outcome: UInt64, Sendable { case revoked = 1, alreadyInvalid = 2 }

    /// What Google said.
    public let outcome: Outcome
    /// Version of the tombstone.
    public let recordVersion: UInt64

    /// An answer.
    public init(outcome: Outcome, recordVersion: UInt64) {
        self.outcome = outcome
        self.recordVersion = recordVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(outcome.rawValue, recordVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        outcome = try reader.choice()
        recordVersion = try reader.unsigned()
        reader.end()
    }
}
