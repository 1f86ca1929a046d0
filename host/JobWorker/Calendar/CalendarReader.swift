import EnclaveClient
import EnclaveProtocol
import Foundation
import HostStorage

/// The events of a window of time.
struct CalendarListing: Sendable {
    let events: [CalendarEvent]
    /// Every event of the window is there.
    let isComplete: Bool
}

/// Reads a user's calendar through the enclave.
struct CalendarReader: Sendable {
    /// Pages of 50 events that are read at most.
    static let maximumPages = 2

    let enclave: any WorkerEnclave

    /// Events that touch [from, to), up to 50 per page.
    func events(
        of user: UUID, _ connector: Connector, from: Date, to: Date, pages: Int = maximumPages, context: CallContext
    ) async throws(EnclaveCallError) -> CalendarListing {
        var events: [CalendarEvent] = []
        var pageToken: String?
        for _ in 0..<pages {
            let resource = GoogleResource.calendarEvents(
                timeMin: Self.text(from, rounded: .down), timeMax: Self.text(to, rounded: .up),
                maxResults: UInt8(CalendarPage.maximumEvents), pageToken: pageToken)
            let answer = try await enclave.getGoogle(
                user: UserID(user), connector: ConnectorID(connector.id), resource: resource, context: context)
            let page = try Self.page(of: answer)
            events += page.events
            pageToken = page.nextPageToken
            if pageToken == nil { break }
        }
        return CalendarListing(events: events, isComplete: pageToken == nil)
    }

    private static func text(_ date: Date, rounded rule: FloatingPointRoundingRule) -> String {
        Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(rule)).formatted(.iso8601)
    }

    private static func page(of answer: GoogleGetAnswer) throws(EnclaveCallError) -> CalendarPage {
        guard let page = CalendarPage(json: try GoogleAnswer.content(answer)) else {
            throw .failed(EnclaveFailure(.providerResponseInvalid))
        }
        return page
    }
}

/// What Google's statuses mean, whatever was read.
enum GoogleAnswer {
    /// The body of a success; anything else as the failure it is.
    static func content(_ answer: GoogleGetAnswer) throws(EnclaveCallError) -> [UInt8] {
        guard (200...299).contains(answer.status) else {
            let status = answer.status == 403 && isQuota(answer.body) ? 429 : answer.status
            throw .failed(
                EnclaveFailure(
                    status >= 500 ? .providerUnavailable : .providerFailed, providerStatus: status,
                    retryAfterSeconds: answer.retryAfterSeconds))
        }
        return answer.body
    }

    /// Whether Google's refusal is one of those that pass.
    private static func isQuota(_ body: [UInt8]) -> Bool {
        struct Refusal: Decodable {
            struct Details: Decodable { let errors: [Reason]? }
            struct Reason: Decodable { let reason: String? }
            let error: Details
        }
        let passing: Set = ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "backendError"]
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(body))
        return refusal?.error.errors?.contains { $0.reason.map(passing.contains) ?? false } ?? false
    }
}
