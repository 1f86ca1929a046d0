public import Foundation

/// One notification for one device, opened and ready to leave.
public struct PushMessage: Sendable {
    /// Id of the outbox row; the same on every try, so that the receiver can tell a repeat.
    public let id: UUID
    public let deviceToken: String
    public let title: String
    public let body: String
    public let requestID: String

    public init(id: UUID, deviceToken: String, title: String, body: String, requestID: String) {
        self.id = id
        self.deviceToken = deviceToken
        self.title = title
        self.body = body
        self.requestID = requestID
    }
}

/// How a try ended.
public enum PushAnswer: Equatable, Sendable {
    case delivered
    /// Nothing left this process.
    case simulated
    /// Worth repeating, after `retryAfter` at the earliest.
    case transient(code: String, retryAfter: Duration?)
    /// Over for good; the device is gone when `deviceIsGone`.
    case refused(code: String, deviceIsGone: Bool)
}

/// A way for notifications to leave.
public protocol PushTransport: Sendable {
    /// Sends once, within the transport's own timeout; a cancelled send is transient.
    func send(_ message: PushMessage) async -> PushAnswer
}
