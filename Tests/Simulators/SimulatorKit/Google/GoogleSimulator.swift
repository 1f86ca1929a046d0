import Crypto
import Foundation
import HTTPTypes

/// Google's authorisation server, Calendar API and Gmail API, as far as this project calls them.
actor GoogleSimulator: ProviderSimulator {
    struct Account: Sendable {
        var events: [CalendarEvent] = []
        var messages: [GmailMessage] = []
    }

    let ledger: Ledger
    let now: @Sendable () -> Date
    let idTokenKey: RSASigningKey
    var client: GoogleClient
    var consent: ConsentPolicy?
    var book = GrantBook()
    var mint = TokenMint()
    var accounts: [String: Account] = [:]
    /// Accounts that have consented before: they get a refresh token only with `prompt=consent`.
    var knownAccounts: Set<String> = []

    init(client: GoogleClient, ledger: Ledger, now: @escaping @Sendable () -> Date) throws {
        self.client = client
        self.ledger = ledger
        self.now = now
        idTokenKey = try RSASigningKey()
    }

    nonisolated func call(of request: ProviderRequest) -> ProviderCall? {
        switch (request.method, request.path) {
        case (.get, "/o/oauth2/v2/auth"): return .authorize
        case (.post, "/token"):
            return switch request.form?["grant_type"] {
            case "authorization_code": .exchange
            case "refresh_token": .refresh
            default: .otherTokenRequest
            }
        case (.post, "/revoke"): return .revoke
        case (.get, "/calendar/v3/calendars/primary/events"): return .calendarEvents
        case (.get, "/gmail/v1/users/me/messages"): return .gmailMessages
        case (.get, let path):
            let id = path.dropPrefix("/gmail/v1/users/me/messages/")
            return id.map { !$0.isEmpty && !$0.contains("/") } == true ? .gmailMessage : nil
        default: return nil
        }
    }

    func answer(_ call: ProviderCall, _ request: ProviderRequest) async -> ProviderResponse {
        switch call {
        case .authorize: await authorize(request)
        case .exchange, .refresh, .otherTokenRequest: await token(request)
        case .revoke: await revoke(request)
        case .calendarEvents: await calendarEvents(request)
        case .gmailMessages: await gmailMessages(request)
        case .gmailMessage: await gmailMessage(request)
        default: GoogleError.notFound.response
        }
    }

    nonisolated func unknownEndpoint(_ request: ProviderRequest) -> ProviderResponse {
        GoogleError.notFound.response
    }

    /// The account behind the request's bearer, if it may use one of `scopes`.
    func account(
        of request: ProviderRequest, scopes: Set<String>, service: String, method: String
    ) async throws(ProviderRefusal) -> String {
        guard let token = request.bearer else { throw ProviderRefusal(.loginRequired) }
        await ledger.seen(.accessToken, token)
        guard let bearer = book.bearer(token, at: now()) else { throw ProviderRefusal(.invalidCredentials) }
        guard !scopes.isDisjoint(with: bearer.scopes) else {
            throw ProviderRefusal(.insufficientScopes(service: service, method: method))
        }
        return bearer.account
    }
}

/// A request that is answered with an error.
struct ProviderRefusal: Error {
    let response: ProviderResponse

    init(_ error: GoogleError) {
        response = error.response
    }
}

extension StringProtocol {
    /// The rest after `prefix`; nil when this does not begin with it.
    func dropPrefix(_ prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
