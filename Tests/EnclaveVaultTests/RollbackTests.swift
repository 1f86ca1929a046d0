import EnclaveProtocol
import FoundationEssentials
import Sodium
import Synchronization
import Testing

@testable import EnclaveVault

/// Within one life of an enclave a host cannot bring back what was there before.
@Suite struct RollbackTests {
    private let bench = Bench()

    @Test func refusesAnOlderRecordAfterANewerOneWasStored() throws {
        let old = try bench.put("old", version: 1)
        let new = try bench.put("new", version: 2)
        bench.store(old)
        #expect(throws: VaultError.recordRolledBack) { try bench.token() }
        bench.store(new)
        #expect(try bench.token() == "new")
        #expect(bench.vault.statistics.rollbacks == 1)
    }

    @Test func refusesAnOlderRecordAfterANewerOneWasOpened() throws {
        let old = try bench.sealed("old", version: 1)
        bench.store(try bench.sealed("new", version: 2))
        #expect(try bench.token() == "new")
        bench.store(old)
        #expect(throws: VaultError.recordRolledBack) { try bench.token() }
        #expect(throws: VaultError.recordRolledBack) {
            _ = try bench.vault.check(user: bench.user, connector: bench.connector, port: bench.host)
        }
    }

    @Test func refusesOtherContentUnderTheSameVersion() throws {
        let first = try bench.put("first", version: 1)
        bench.store(try bench.sealed("second", version: 1))
        #expect(throws: VaultError.recordRolledBack) { try bench.token() }
        bench.store(first)
        #expect(try bench.token() == "first")
    }

    @Test func tellsARecordThatVanishedFromOneThatNeverWas() throws {
        #expect(throws: VaultError.recordMissing) { try bench.token() }
        try bench.put("token", version: 1)
        bench.store(nil)
        #expect(throws: VaultError.recordRolledBack) { try bench.token() }
    }

    @Test func refusesTheTokenThatATombstoneEnded() throws {
        let token = try bench.put("token", version: 1)
        let tombstone = try bench.vault.sealTombstone(
            user: bench.user, connector: bench.connector, recordVersion: 2, port: bench.host)
        #expect(
            try bench.vault.put(tombstone, user: bench.user, connector: bench.connector, port: bench.host) == .stored)
        #expect(throws: VaultError.recordRevoked) { try bench.token() }
        #expect(throws: VaultError.recordRevoked) {
            _ = try bench.vault.check(user: bench.user, connector: bench.connector, port: bench.host)
        }
        bench.store(token)
        #expect(throws: VaultError.recordRolledBack) { try bench.token() }
        bench.store(tombstone)
        let record = try bench.vault.openIncludingTombstone(
            user: bench.user, connector: bench.connector, port: bench.host)
        switch record {
        case .connected: Issue.record("a tombstone opened as a token")
        case .tombstone(let version): #expect(version == 2)
        }
        // A reconnect follows the tombstone.
        try bench.put("again", version: 3)
        #expect(try bench.token() == "again")
    }

    @Test func aForgedVersionLeavesNoTrace() throws {
        let record = try bench.put("token", version: 1)
        var forged = record.sealed
        forged[28] = 200
        bench.store(record.with(sealed: forged, recordVersion: 200))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        bench.store(record)
        #expect(try bench.token() == "token")
    }

    @Test func aPutThatLostLeavesNoTrace() throws {
        try bench.put("token", version: 1)
        let late = try bench.sealed("late", version: 6)
        #expect(
            try bench.vault.put(late, user: bench.user, connector: bench.connector, port: bench.host) == .conflict)
        #expect(try bench.token() == "token")
    }

    @Test func anAcknowledgementThatContradictsWhatWasSeenIsAConflict() throws {
        try bench.put("first", version: 1)
        let late = try bench.sealed("late", version: 2)
        let stored = try bench.put("second", version: 2)
        // The host's row is set back, so that it acknowledges another version 2.
        bench.store(try bench.sealed("first", version: 1))
        #expect(try bench.vault.put(late, user: bench.user, connector: bench.connector, port: bench.host) == .conflict)
        #expect(bench.vault.statistics.rollbacks == 1)
        #expect(throws: VaultError.recordRolledBack) { try bench.token() }
        bench.store(stored)
        #expect(try bench.token() == "second")
    }

    @Test func readsAgainWhenTheRecordMovesOnWhileItIsRead() throws {
        try bench.put("old", version: 1)
        let bench = bench
        let before = bench.host.state.withLock { $0.reads }
        bench.host.state.withLock {
            $0.afterRead = { reads in
                if reads == before + 1 { _ = try? bench.put("new", version: 2) }
            }
        }
        #expect(try bench.token() == "new")
        #expect(bench.host.state.withLock { $0.reads } == before + 2)
        #expect(bench.vault.statistics.rollbacks == 0)
    }

    @Test func readsAgainWhenTheRecordAppearsWhileItIsMissed() throws {
        let bench = bench
        bench.host.state.withLock {
            $0.afterRead = { reads in
                if reads == 1 { _ = try? bench.put("first", version: 1) }
            }
        }
        #expect(try bench.token() == "first")
    }

    @Test func givesUpOnARecordThatNeverStandsStill() throws {
        try bench.put("0", version: 1)
        let bench = bench
        bench.host.state.withLock {
            $0.afterRead = { reads in _ = try? bench.put("\(reads)", version: UInt64(reads) + 1) }
        }
        #expect(throws: VaultError.recordConflict) { try bench.token() }
        #expect(bench.host.state.withLock { $0.reads } == 3)
    }

    @Test func anotherEnclaveKnowsNothingOfIt() throws {
        let old = try bench.put("old", version: 1)
        try bench.put("new", version: 2)
        bench.store(old)
        // Not a promise but the limit of this one: memory is per enclave.
        let other = TokenVault(policy: policy(), kms: bench.kms)
        #expect(try bench.token(other) == "old")
    }

    @Test func aPortThatFailsIsReportedAsThat() throws {
        try bench.put("token", version: 1)
        bench.host.state.withLock { $0.failing = true }
        #expect(throws: VaultError.recordPortFailed) { try bench.token() }
    }
}
