import EnclaveProtocol
import Foundation
import Synchronization
import Testing

@testable import EnclaveRuntime

@Suite struct GetTests {
    @Test func asksForTheAllowedResourcesOnly() {
        #expect(
            GoogleResource.calendarEvents(
                timeMin: "2026-03-01T00:00:00Z", timeMax: "2026-03-09T00:00:00Z", maxResults: 50, pageToken: "a+/=_"
            ).target()
                == "/calendar/v3/calendars/primary/events?singleEvents=true&orderBy=startTime"
                + "&timeMin=2026-03-01T00%3A00%3A00Z&timeMax=2026-03-09T00%3A00%3A00Z&maxResults=50"
                + "&fields=items%28id%2Cstatus%2Csummary%2Cstart%2Cend%2CeventType%2Cattendees%28self%2CresponseStatus"
                + "%29%29%2CnextPageToken&pageToken=a%2B%2F%3D_")
        #expect(
            GoogleResource.gmailMessages(newerThanDays: 2, unread: true, maxResults: 5).target()
                == "/gmail/v1/users/me/messages?labelIds=INBOX&q=newer_than%3A2d%20is%3Aunread&maxResults=5")
        #expect(
            GoogleResource.gmailMetadata(id: "a-B_9").target()
                == "/gmail/v1/users/me/messages/a-B_9?format=metadata&metadataHeaders=From&metadataHeaders=Subject"
                + "&metadataHeaders=Date&metadataHeaders=Content-Type")
    }

    @Test(
        arguments: [
            ("2026-03-01T00:00:00Z", "2026-03-09T00:00:01Z", nil),
            ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", nil),
            ("2026-02-29T00:00:00Z", "2026-03-01T00:00:00Z", nil),
            ("2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00Z", nil),
            ("2026-03-01", "2026-03-02T00:00:00Z", nil), ("2026-03-01T24:00:00Z", "2026-03-02T00:00:00Z", nil),
            ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "a&b"),
            ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", ""),
            ("2026-03-01T00:00:00.Z", "2026-03-02T00:00:00Z", nil),
            ("2026-03-01T00:00:00Z&x", "2026-03-02T00:00:00Z", nil),
        ] as [(String, String, String?)])
    func refusesCalendarParameters(_ timeMin: String, _ timeMax: String, _ pageToken: String?) {
        let resource = GoogleResource.calendarEvents(
            timeMin: timeMin, timeMax: timeMax, maxResults: 1, pageToken: pageToken)
        #expect(resource.target() == nil)
    }

    @Test(arguments: ["", "a/b", "..", "a?b", "a%2f", String(repeating: "a", count: 65)])
    func refusesMessageIds(_ id: String) {
        #expect(GoogleResource.gmailMetadata(id: id).target() == nil)
    }

    @Test func countsDaysAcrossLeapYears() throws {
        #expect(UTCTime("1970-01-01T00:00:00Z")?.seconds == 0)
        #expect(UTCTime("2000-02-29T12:34:56.789Z")?.seconds == 951_827_696)
        #expect(UTCTime("2026-11-25T08:00:00Z")?.seconds == 1_795_593_600)
        #expect(UTCTime("2100-02-29T00:00:00Z") == nil)
    }

    @Test func refusesThe121stReadOfAUserInAMinute() throws {
        let harness = try OperationHarness()
        try harness.plant("r1", version: 1)
        harness.google.issueTokens()
        for _ in 0..<120 { #expect(try harness.get().status == 200) }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .overloaded)
        #expect(harness.google.state.withLock { $0.reads.count } == 120)
    }

    @Test func passesStatusBodyAndRetryAfterButNoRedirect() throws {
        let harness = try OperationHarness()
        try harness.plant("r1", version: 1)
        harness.google.issueTokens()
        harness.google.state.withLock { state in
            state.onRead = { _ in PublicReply(status: 429, retryAfterSeconds: 7, body: [1, 2]) }
        }
        #expect(try harness.get() == GoogleGetAnswer(status: 429, body: [1, 2], retryAfterSeconds: 7))
        harness.google.state.withLock { state in
            state.onRead = { _ in PublicReply(status: 302, retryAfterSeconds: nil, body: []) }
        }
        #expect(throws: EnclaveFailure(.providerFailed, providerStatus: 302)) { try harness.get() }
        harness.google.state.withLock { state in state.onRead = { _ throws(ProviderFault) in throw .tooLarge } }
        #expect(throws: EnclaveFailure(.providerResponseInvalid)) { try harness.get() }
        harness.google.state.withLock { state in state.onRead = { _ throws(ProviderFault) in throw .unavailable } }
        #expect(throws: EnclaveFailure(.providerUnavailable)) { try harness.get() }
    }
}

@Suite struct RevokeTests {
    private let harness: OperationHarness

    init() throws {
        harness = try OperationHarness()
        harness.google.issueTokens()
    }

    @Test func endsTheGrantAndLeavesATombstone() throws {
        try harness.plant("r1", version: 1)
        #expect(try harness.get().status == 200)
        #expect(try harness.revoke() == GoogleRevokeAnswer(outcome: .revoked, recordVersion: 2))
        #expect(harness.google.state.withLock { $0.revoked } == ["r1"])
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordRevoked)
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.revoke() } == .recordRevoked)
    }

    @Test func aGrantThatIsGoneAlreadyCountsAsRevoked() throws {
        try harness.plant("r1", version: 1)
        harness.google.state.withLock { $0.onRevoke = { _ in (400, #"{"error":"invalid_token"}"#) } }
        #expect(try harness.revoke() == GoogleRevokeAnswer(outcome: .alreadyInvalid, recordVersion: 2))
    }

    @Test func aFailureAtGoogleLeavesTheRecord() throws {
        try harness.plant("r1", version: 1)
        harness.google.state.withLock { $0.onRevoke = { _ in (503, "") } }
        #expect(throws: EnclaveFailure(.providerFailed, providerStatus: 503)) { try harness.revoke() }
        harness.google.state.withLock { $0.onRevoke = { _ throws(ProviderFault) in throw .unavailable } }
        #expect(throws: EnclaveFailure(.providerUnavailable)) { try harness.revoke() }
        #expect(try harness.storedToken() == "r1")
    }

    @Test func aTokenStoredMeanwhileIsRevokedToo() throws {
        try harness.plant("r1", version: 1)
        harness.store.state.withLock { [harness] state in
            state.beforePut = { _ in try? harness.plant("r2", version: 2) }
        }
        #expect(try harness.revoke() == GoogleRevokeAnswer(outcome: .revoked, recordVersion: 3))
        #expect(harness.google.state.withLock { $0.revoked } == ["r1", "r2"])
    }

    @Test func aThirdConflictIsReported() throws {
        try harness.plant("r1", version: 1)
        let harness = harness
        harness.google.state.withLock { state in
            state.onRevoke = { token in
                // Another writer is faster every time.
                let version = (harness.storedVersion ?? 0) + 1
                try? harness.plant("r\(version)", version: version)
                return (200, "{}")
            }
        }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.revoke() } == .recordConflict)
        #expect(harness.google.state.withLock { $0.revoked } == ["r1", "r2", "r3"])
    }

    @Test func forgettingAUserDropsTheToken() throws {
        try harness.plant("r1", version: 1)
        #expect(try harness.get().status == 200)
        let _: EmptyMessage = try harness.run(.vaultForget, VaultForget(user: harness.reference.user), as: .worker)
        #expect(try harness.get().status == 200)
        #expect(harness.google.refreshes == ["r1", "r1"])
    }
}
