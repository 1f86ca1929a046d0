import Foundation
import NIOHTTP1

extension SimulatorControl {
    /// Replaces the registered client.
    public func setGoogleClient(_ client: GoogleClient) async throws {
        try await send(.PUT, "/google/client", client)
    }

    /// Who consents, or refuses, without a person clicking; nil: the consent page is shown.
    public func setConsent(_ policy: ConsentPolicy?) async throws {
        if let policy {
            try await send(.PUT, "/google/consent", policy)
        } else {
            try await send(.DELETE, "/google/consent")
        }
    }

    /// How refresh tokens rotate from the next refresh on.
    public func setRotation(_ rotation: RefreshRotation) async throws {
        try await send(.PUT, "/google/rotation", query: ["mode": rotation.rawValue])
    }

    /// How the values of new tokens look, and how long access tokens live.
    public func setTokens(_ settings: TokenSettings) async throws {
        try await send(.PUT, "/google/tokens", settings)
    }

    /// Lets the access tokens of one account, or all, expire now.
    public func expireAccessTokens(account: String? = nil) async throws {
        try await send(.POST, "/google/expire-access-tokens", query: ["account": account])
    }

    /// Replaces an account's calendar.
    public func setEvents(account: String, _ events: [CalendarEvent]) async throws {
        try await send(.PUT, "/google/events", query: ["account": account], events)
    }

    /// Adds an event to an account's calendar, or replaces the one with its id.
    public func putEvent(account: String, _ event: CalendarEvent) async throws {
        try await send(.POST, "/google/events", query: ["account": account], event)
    }

    /// Removes an event from an account's calendar.
    public func removeEvent(account: String, id: String) async throws {
        try await send(.DELETE, "/google/events", query: ["account": account, "id": id])
    }

    /// An account's calendar.
    public func events(account: String) async throws -> [CalendarEvent] {
        try await get("/google/events", query: ["account": account])
    }

    /// Replaces an account's mailbox.
    public func setMessages(account: String, _ messages: [GmailMessage]) async throws {
        try await send(.PUT, "/google/messages", query: ["account": account], messages)
    }

    /// The grant of an account.
    public func grant(account: String) async throws -> GrantReport {
        try await get("/google/grant", query: ["account": account])
    }

    /// Whether the account had a grant and has none any more.
    public func isRevoked(account: String) async throws -> Bool {
        try await grant(account: account).state == .revoked
    }

    /// Whether a refresh or access token would not be taken now.
    public func isRevoked(token: String) async throws -> Bool {
        let answer: [String: Bool] = try await get("/google/live", query: ["token": token])
        guard let live = answer["live"] else { throw SimulatorControlError.unreadable }
        return !live
    }

    /// The person takes the consent back on Google's own page.
    public func withdrawConsent(account: String) async throws {
        try await send(.DELETE, "/google/grant", query: ["account": account])
    }
}
