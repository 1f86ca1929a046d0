import AttestedSession
import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

@Suite struct RefreshTests {
    private let harness: OperationHarness

    init() throws {
        harness = try OperationHarness(["ENCLAVE_USER_GOOGLE_PER_MINUTE": "100000"])
    }

    @Test func readsTheRecordEachTimeAndRefreshesOnce() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens()
        for round in 1...3 {
            let before = harness.store.state.withLock { $0.reads }
            #expect(try harness.get().status == 200)
            let after = harness.store.state.withLock { $0.reads }
            #expect(after > before, "round \(round)")
        }
        #expect(harness.google.refreshes == ["r1"])
        #expect(harness.google.state.withLock { $0.reads.map(\.bearer) } == Array(repeating: "access-of-r1", count: 3))
        let answer = try harness.refresh()
        #expect((3590...3600).contains(answer.expiresInSeconds))
        #expect(answer.recordVersion == 1)
        #expect(harness.google.refreshes.count == 1)
    }

    @Test func manyUsesAtOnceCauseOneRefresh() throws {
        try harness.plant("r1", version: 1)
        let uses = 48
        let started = Monitor(0)
        harness.google.state.withLock { state in
            state.onToken = { _ in
                // Answers once most of the others are on their way, or soon after.
                _ = started.wait(until: .now.advanced(byMilliseconds: 300)) { $0 >= uses ? true : nil }
                return (200, #"{"access_token":"a","expires_in":3600,"refresh_token":"r2"}"#)
            }
        }
        let done = Monitor<[Int]>([])
        for _ in 0..<uses {
            Threads.start { [harness] in
                started.withLock(wake: true) { $0 += 1 }
                let status = (try? harness.get().status) ?? 0
                done.withLock(wake: true) { $0.append(Int(status)) }
            }
        }
        let statuses = done.wait(until: .now.advanced(bySeconds: 20)) { $0.count == uses ? $0 : nil }
        #expect(statuses == Array(repeating: 200, count: uses))
        #expect(harness.google.refreshes == ["r1"])
        #expect(try harness.storedToken() == "r2")
    }

    @Test func waitersShareAFailure() throws {
        try harness.plant("r1", version: 1)
        let started = Monitor(0)
        harness.google.state.withLock { state in
            state.onToken = { _ throws(ProviderFault) in
                _ = started.wait(until: .now.advanced(bySeconds: 5)) { $0 >= 8 ? true : nil }
                Threads.sleep(milliseconds: 100)
                throw .unavailable
            }
        }
        let done = Monitor<[EnclaveErrorCode?]>([])
        for _ in 0..<8 {
            Threads.start { [harness] in
                started.withLock(wake: true) { $0 += 1 }
                let code = harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() }
                done.withLock(wake: true) { $0.append(code) }
            }
        }
        let codes = done.wait(until: .now.advanced(bySeconds: 20)) { $0.count == 8 ? $0 : nil }
        #expect(codes == Array(repeating: .providerUnavailable, count: 8))
        #expect(harness.google.refreshes.count < 8)
    }

    @Test func anotherUsersIdNeverOpensTheConnector() throws {
        try harness.plant("r1", version: 1)
        let thief = ConnectorReference(user: UserID(UUID()), connector: harness.reference.connector)
        let harness = harness
        let attempt: @Sendable () -> Set<EnclaveErrorCode?> = {
            // A host that lies answers with the victim's row.
            harness.store.state.withLock { $0.records[thief] = $0.records[harness.reference] }
            return [
                harness.refusal { () throws(EnclaveFailure) in _ = try harness.get(thief) },
                harness.refusal { () throws(EnclaveFailure) in _ = try harness.refresh(thief) },
                harness.refusal { () throws(EnclaveFailure) in _ = try harness.revoke(thief) },
            ]
        }
        let inFlight = Mutex<Set<EnclaveErrorCode?>>([])
        harness.google.state.withLock { state in
            state.onToken = { _ in
                let codes = attempt()
                inFlight.withLock { $0 = codes }
                return (200, #"{"access_token":"a","expires_in":3600}"#)
            }
        }
        #expect(try harness.get().status == 200)
        #expect(inFlight.withLock { $0 } == [.sealedDataRejected])
        #expect(attempt() == [.sealedDataRejected])
        #expect(harness.google.state.withLock { $0.revoked }.isEmpty)
    }

    @Test func aRotatedTokenIsStoredBeforeItIsUsed() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { $0 == "r1" ? "r2" : nil }
        harness.store.state.withLock { state in
            state.lostPuts = 3
        }
        let harness = harness
        harness.google.state.withLock { state in
            state.onRead = { _ in
                #expect(harness.storedVersion == 2)
                return PublicReply(status: 200, retryAfterSeconds: nil, body: [])
            }
        }
        #expect(try harness.get().status == 200)
        #expect(try harness.storedToken() == "r2")
        #expect(harness.pauses.milliseconds.withLock { $0.count } == 3)
        #expect(harness.google.refreshes == ["r1"])
    }

    @Test func aRotatedTokenNeverWaitsForAKey() throws {
        // Sealed before the key was rotated: reading it does not bring the active key into memory.
        let harness = try OperationHarness(["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": "1"])
        let before = try #require(KeyPolicy(keyID: harness.operations.vault.policy.keyID, activeVersion: 1))
        let record = try TokenVault(policy: before, kms: harness.kms).seal(
            token: SecretBytes(copying: Array("r1".utf8)), accountHash: harness.account("42"),
            user: harness.reference.user, connector: harness.reference.connector, recordVersion: 1, port: harness.store)
        harness.store.state.withLock { $0.records[harness.reference] = record }
        harness.google.state.withLock { state in
            state.onToken = { [store = harness.store] _ in
                store.state.withLock { $0.hasNoKeys = true }
                return (200, #"{"access_token":"a","expires_in":3600,"refresh_token":"r2"}"#)
            }
        }
        #expect(try harness.refresh().recordVersion == 2)
        #expect(try harness.storedToken() == "r2")
    }

    @Test func aLostAcknowledgementIsNoConflict() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { $0 == "r1" ? "r2" : nil }
        harness.store.state.withLock { $0.lostAnswers = 1 }
        #expect(try harness.refresh().recordVersion == 2)
        #expect(try harness.storedToken() == "r2")
        #expect(harness.google.refreshes == ["r1"])
    }

    @Test func aRefreshNeverUndoesAReconnect() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { $0 == "r1" ? "r2" : nil }
        harness.store.state.withLock { [harness] state in
            state.beforePut = { _ in try? harness.plant("other", version: 2, account: "77") }
        }
        #expect(try harness.refresh().recordVersion == 2)
        #expect(try harness.storedToken() == "other")
        #expect(harness.google.refreshes == ["r1", "other"])
        #expect(try harness.get().status == 200)
        #expect(harness.google.state.withLock { $0.reads.last?.bearer } == "access-of-other")
    }

    @Test func aRefreshNeverUndoesARevocation() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { _ in "r2" }
        harness.store.state.withLock { [harness] state in
            state.beforePut = { _ in try? harness.plantTombstone(version: 2) }
        }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordRevoked)
        #expect(harness.storedVersion == 2)
        #expect(harness.google.state.withLock { $0.reads }.isEmpty)
        // Who revoked knew "r1" only, which need not end a grant that has moved on.
        #expect(harness.google.state.withLock { $0.revoked } == ["r2"])
    }

    @Test func aRevocationDuringARefreshStopsTheCallThatRefreshed() throws {
        try harness.plant("r1", version: 1)
        harness.google.state.withLock { [harness] state in
            state.onToken = { _ in
                try? harness.plantTombstone(version: 2)
                return (200, #"{"access_token":"a","expires_in":3600}"#)
            }
        }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordRevoked)
        #expect(harness.google.state.withLock { $0.reads }.isEmpty)
    }

    @Test func aResealedRecordWithTheUsedTokenIsWrittenOver() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { $0 == "r1" ? "r2" : nil }
        harness.store.state.withLock { [harness] state in
            state.beforePut = { _ in try? harness.plant("r1", version: 2) }
        }
        #expect(try harness.refresh().recordVersion == 3)
        #expect(try harness.storedToken() == "r2")
        #expect(harness.google.refreshes == ["r1"])
    }

    @Test func aDeletedUsersRecordIsRefusedForGood() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { _ in "r2" }
        harness.store.state.withLock { $0.refusesPuts = true }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.refresh() } == .recordRefused)
        // Deleting a user revokes what is stored; a host that only says so ends no grant with it.
        #expect(harness.google.state.withLock { $0.revoked }.isEmpty)
    }

    @Test func invalidGrantOfAnUnchangedRecordNeedsReconnecting() throws {
        try harness.plant("r1", version: 1)
        harness.google.state.withLock { $0.onToken = { _ in (400, #"{"error":"invalid_grant"}"#) } }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .reconnectRequired)
        #expect(harness.pauses.milliseconds.withLock { $0 } == [2000])
        #expect(harness.google.refreshes == ["r1"])
    }

    @Test func invalidGrantGoesOnWithWhatAnotherEnclaveStored() throws {
        try harness.plant("r1", version: 1)
        harness.google.state.withLock { state in
            state.onToken = { form in
                form["refresh_token"] == "r1"
                    ? (400, #"{"error":"invalid_grant"}"#) : (200, #"{"access_token":"a","expires_in":3600}"#)
            }
        }
        harness.pauses.onPause.withLock { [harness] action in
            action = { try? harness.plant("r2", version: 2) }
        }
        #expect(try harness.refresh().recordVersion == 2)
        #expect(harness.google.refreshes == ["r1", "r2"])
    }

    @Test(arguments: [
        (503, "", EnclaveErrorCode.providerFailed), (429, "{}", .providerFailed), (302, "", .providerFailed),
        (400, #"{"error":"invalid_client"}"#, .providerFailed), (200, "<html>", .providerResponseInvalid),
        (200, #"{"access_token":"a"}"#, .providerResponseInvalid),
    ])
    func namesWhatGoogleAnswered(_ status: Int, _ body: String, _ code: EnclaveErrorCode) throws {
        try harness.plant("r1", version: 1)
        harness.google.state.withLock { $0.onToken = { _ in (status, body) } }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.refresh() } == code)
        #expect(harness.google.refreshes.count == 1)
    }

    @Test func a401CostsTheTokenAndIsRepeatedOnce() throws {
        try harness.plant("r1", version: 1)
        let count = Mutex(0)
        harness.google.state.withLock { state in
            state.onToken = { _ in
                (200, #"{"access_token":"a\#(count.withLock { $0 += 1; return $0 })","expires_in":3600}"#)
            }
            state.onRead = { bearer in
                PublicReply(status: bearer == "a1" ? 401 : 200, retryAfterSeconds: nil, body: [])
            }
        }
        #expect(try harness.get().status == 200)
        #expect(harness.google.state.withLock { $0.reads.map(\.bearer) } == ["a1", "a2"])
        harness.google.state.withLock { state in
            state.onRead = { _ in PublicReply(status: 401, retryAfterSeconds: nil, body: []) }
        }
        #expect(try harness.get().status == 401)
        #expect(harness.google.state.withLock { $0.reads.map(\.bearer) } == ["a1", "a2", "a2", "a3"])
    }

    @Test func missingAndRevokedRecordsAreNamed() throws {
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordMissing)
        try harness.plantTombstone(version: 1)
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordRevoked)
    }

    @Test func anOlderRecordThanWasSeenIsRefused() throws {
        try harness.plant("r1", version: 1)
        harness.google.issueTokens { $0 == "r1" ? "r2" : nil }
        let old = harness.store.state.withLock { $0.records[harness.reference] }
        #expect(try harness.get().status == 200)
        harness.store.state.withLock { $0.records[harness.reference] = old }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordRolledBack)
        harness.store.state.withLock { $0.records[harness.reference] = nil }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try harness.get() } == .recordRolledBack)
    }
}
