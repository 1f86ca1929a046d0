public import Foundation

/// The client registered at the simulated Google.
public struct GoogleClient: Codable, Sendable, Hashable {
    public var clientID: String
    /// Every secret that is accepted; two while one is being replaced.
    public var clientSecrets: [String]
    public var redirectURIs: [String]

    public init(clientID: String, clientSecrets: [String], redirectURIs: [String]) {
        self.clientID = clientID
        self.clientSecrets = clientSecrets
        self.redirectURIs = redirectURIs
    }
}

/// Who answers the consent page, and how, without a person clicking.
public struct ConsentPolicy: Codable, Sendable, Hashable {
    public enum Decision: String, Codable, Sendable, Hashable {
        case approve, deny
    }

    /// The account's address, for example `ada@example.com`.
    public var account: String
    public var decision: Decision
    /// The scopes granted, of those asked for; nil: all of them.
    public var scopes: [String]?

    public init(account: String, decision: Decision = .approve, scopes: [String]? = nil) {
        self.account = account
        self.decision = decision
        self.scopes = scopes
    }
}

/// Whether an account has a grant.
public enum GrantState: String, Codable, Sendable, Hashable {
    case none, active, revoked
}

/// The grant of one account and its refresh tokens that would be taken now, oldest first.
public struct GrantReport: Codable, Sendable, Hashable {
    public var account: String
    public var state: GrantState
    public var liveRefreshTokens: [String]
}

/// An event in a simulated calendar, in the shape of the Calendar API.
public struct CalendarEvent: Codable, Sendable, Hashable {
    /// Either `dateTime` or, for whole days, `date`.
    public struct Moment: Codable, Sendable, Hashable {
        public var dateTime: String?
        public var date: String?
        public var timeZone: String?

        public init(dateTime: String? = nil, date: String? = nil, timeZone: String? = nil) {
            self.dateTime = dateTime
            self.date = date
            self.timeZone = timeZone
        }
    }

    public struct Attendee: Codable, Sendable, Hashable {
        public var email: String
        public var responseStatus: String
        public var isSelf: Bool?

        public init(email: String, responseStatus: String, isSelf: Bool? = nil) {
            self.email = email
            self.responseStatus = responseStatus
            self.isSelf = isSelf
        }

        enum CodingKeys: String, CodingKey {
            case email, responseStatus
            case isSelf = "self"
        }
    }

    public var id: String
    public var status: String?
    public var summary: String?
    public var location: String?
    public var start: Moment
    public var end: Moment
    public var eventType: String?
    public var attendees: [Attendee]?
    public var recurringEventId: String?

    public init(
        id: String, summary: String?, start: Moment, end: Moment, status: String? = "confirmed",
        eventType: String? = "default", location: String? = nil, attendees: [Attendee]? = nil,
        recurringEventId: String? = nil
    ) {
        self.id = id
        self.summary = summary
        self.start = start
        self.end = end
        self.status = status
        self.eventType = eventType
        self.location = location
        self.attendees = attendees
        self.recurringEventId = recurringEventId
    }

    /// A confirmed event that starts at `start` and lasts `minutes`.
    public init(id: String, summary: String, start: Date, minutes: Int = 30) {
        self.init(
            id: id, summary: summary, start: Moment(dateTime: start.ISO8601Format(), timeZone: "UTC"),
            end: Moment(dateTime: start.addingTimeInterval(Double(minutes) * 60).ISO8601Format(), timeZone: "UTC"))
    }
}

/// A message in a simulated mailbox.
public struct GmailMessage: Codable, Sendable, Hashable {
    public struct Header: Codable, Sendable, Hashable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public var id: String
    public var threadId: String?
    public var labelIds: [String]
    public var snippet: String
    /// Unix milliseconds of arrival.
    public var internalDate: Int
    public var headers: [Header]

    public init(
        id: String, threadId: String? = nil, labelIds: [String] = ["INBOX", "UNREAD"], snippet: String,
        internalDate: Int, headers: [Header]
    ) {
        self.id = id
        self.threadId = threadId
        self.labelIds = labelIds
        self.snippet = snippet
        self.internalDate = internalDate
        self.headers = headers
    }
}
