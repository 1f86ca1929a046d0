/// A provider that is simulated.
public enum Provider: String, Codable, Sendable, Hashable, CaseIterable {
    case google, clerk, apns
}

/// A call to a provider, named so that calls can be counted and made to fail one by one.
public enum ProviderCall: String, Codable, Sendable, Hashable, CaseIterable {
    case authorize = "google.authorize"
    case exchange = "google.exchange"
    case refresh = "google.refresh"
    /// A token request with another grant type or none.
    case otherTokenRequest = "google.token"
    case revoke = "google.revoke"
    case calendarEvents = "google.calendar.events"
    case gmailMessages = "google.gmail.messages"
    case gmailMessage = "google.gmail.message"
    case keySet = "clerk.jwks"
    case devicePush = "apns.device"
    case endpointPush = "apns.endpoint"

    /// The provider that is called.
    public var provider: Provider {
        switch self {
        case .keySet: .clerk
        case .devicePush, .endpointPush: .apns
        default: .google
        }
    }
}

/// How often a call arrived, and with which statuses it was answered.
public struct CallCount: Codable, Sendable, Hashable {
    public var call: ProviderCall
    /// Requests that arrived, answered or not.
    public var arrived: Int
    /// Answers by status; an answer that a reset swallowed is counted too.
    public var statuses: [Int: Int]
}
