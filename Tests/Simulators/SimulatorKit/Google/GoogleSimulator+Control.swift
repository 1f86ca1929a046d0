/// What the control API may change and ask.
extension GoogleSimulator {
    func setClient(_ client: GoogleClient) {
        self.client = client
    }

    func setConsent(_ consent: ConsentPolicy?) {
        self.consent = consent
    }

    func setRotation(_ rotation: RefreshRotation) {
        book.rotation = rotation
    }

    func setTokens(_ settings: TokenSettings) {
        mint.settings = settings
    }

    func setEvents(_ events: [CalendarEvent], of account: String) {
        accounts[account, default: Account()].events = events
    }

    /// Adds an event, or replaces the one with the same id.
    func putEvent(_ event: CalendarEvent, of account: String) {
        accounts[account, default: Account()].events.removeAll { $0.id == event.id }
        accounts[account, default: Account()].events.append(event)
    }

    func removeEvent(_ id: String, of account: String) {
        accounts[account]?.events.removeAll { $0.id == id }
    }

    func events(of account: String) -> [CalendarEvent] {
        accounts[account]?.events ?? []
    }

    func setMessages(_ messages: [GmailMessage], of account: String) {
        accounts[account, default: Account()].messages = messages
    }

    func grant(of account: String) -> GrantReport {
        GrantReport(
            account: account, state: book.state(of: account), liveRefreshTokens: book.liveRefreshTokens(of: account))
    }

    func isLive(token: String) -> Bool {
        book.isLive(refreshToken: token) || book.bearer(token, at: now()) != nil
    }

    func withdrawConsent(of account: String) {
        book.withdrawConsent(of: account)
    }

    func expireAccessTokens(of account: String?) {
        book.expireAccessTokens(of: account)
    }
}
