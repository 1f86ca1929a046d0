public import Foundation

/// Which of Apple's two services a device's token belongs to.
public enum PushEnvironment: String, Sendable, CaseIterable {
    case sandbox, production

    public var other: PushEnvironment { self == .sandbox ? .production : .sandbox }
}

/// What a notification is about, by the word that the app knows.
public enum PushSubject: String, Sendable, CaseIterable {
    case meetingReminder = "meeting_reminder"
    case morningBrief = "morning_brief"
    case urgentEmail = "urgent_email"
    case connector, test

    /// May break through a focus: it is worth nothing later.
    var isTimeSensitive: Bool { self == .meetingReminder || self == .urgentEmail }
}

/// One notification for one device, opened and ready to leave.
public struct PushMessage: Sendable {
    /// Id of the outbox row; the same on every try, so that the receiver can tell a repeat.
    public let id: UUID
    public let deviceToken: String
    public let title: String
    public let body: String
    public let requestID: String
    public let kind: PushSubject
    public let user: UUID
    /// Names the action that made it; notifications of one user and action show as one.
    public let actionKey: String
    /// Not shown after this.
    public let expiresAt: Date

    public init(
        id: UUID, deviceToken: String, title: String, body: String, requestID: String, kind: PushSubject, user: UUID,
        actionKey: String, expiresAt: Date
    ) {
        self.id = id
        self.deviceToken = deviceToken
        self.title = title
        self.body = body
        self.requestID = requestID
        self.kind = kind
        self.user = user
        self.actionKey = actionKey
        self.expiresAt = expiresAt
    }
}

/// How a try ended.
public enum PushAnswer: Equatable, Sendable {
    case delivered
    /// Delivered by the other environment than the one the device is registered with.
    case deliveredElsewhere
    /// Nothing left this process.
    case simulated
    /// Worth repeating, after `retryAfter` at the earliest.
    case transient(code: String, retryAfter: Duration?)
    /// The operator's fault, and worth repeating until he mends it: neither notification nor device is to blame.
    case misconfigured(code: String)
    /// Over for good; the device is gone when `deviceIsGone`.
    case refused(code: String, deviceIsGone: Bool)
    /// The device's token has been dead since then; a device registered later than that is alive.
    case unregistered(code: String, since: Date?)
    /// No environment knows the token, or not for this topic. While so many are rejected that the fault must be
    /// elsewhere, `isStorm`, the device is not to blame.
    case tokenRejected(code: String, isStorm: Bool)
}

/// A way for notifications to leave.
public protocol PushTransport: Sendable {
    /// Whether its `tokenRejected` and `delivered` tell something about the token.
    var judgesTokens: Bool { get }

    /// Sends once, within the transport's own timeout; a cancelled send is transient.
    func send(_ message: PushMessage) async -> PushAnswer
}

extension PushTransport {
    public var judgesTokens: Bool { true }
}
