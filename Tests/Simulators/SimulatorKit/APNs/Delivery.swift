/// A notification as a device's owner would see it: one entry however often it was sent.
public struct Delivery: Codable, Sendable, Hashable {
    /// By which way it came.
    public enum Route: String, Codable, Sendable, Hashable {
        /// Apple's own protocol, `POST /3/device/{token}`.
        case direct
        /// The generic endpoint, `POST /push`.
        case endpoint
    }

    /// 1 for the first notification since the start, and so on.
    public var sequence: Int
    public var route: Route
    /// The service that was called; nil for the endpoint.
    public var environment: SimulatedAPNs?
    public var deviceToken: String
    public var title: String
    public var body: String
    /// `Idempotency-Key`, or `apns-id`; empty when none was sent.
    public var id: String
    public var collapseID: String?
    /// How often this same notification was sent; above 1 the rest were repeats that the device merges.
    public var count: Int
    /// Whether a repeat had another title or body.
    public var contentChanged: Bool
    public var firstUnixMilliseconds: Int
    public var lastUnixMilliseconds: Int
}

/// What APNs says about a device token.
public enum DeviceState: Codable, Sendable, Hashable {
    case registered
    /// 410, with the time since which the token is dead.
    case unregistered(sinceUnixMilliseconds: Int)
    /// Registered with one of the services; to the other it is a bad token.
    case registeredOnly(with: SimulatedAPNs)
    /// 400 `BadDeviceToken`.
    case bad
    /// 400 `DeviceTokenNotForTopic`.
    case otherTopic
}
