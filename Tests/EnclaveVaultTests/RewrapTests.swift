import EnclaveProtocol
import FoundationEssentials
import Sodium
import Synchronization
import Testing

@testable import EnclaveVault

/// From one key version to the next: what is sealed anew, and what a host cannot slip in meanwhile.
@Suite struct RewrapTests {
    private let old = Bench()
    private let new: Bench

    init() {
        new = Bench(policy: policy(2, [1]), kms: old.kms, host: old.host)
    }

    private func rewrap(_ vault: TokenVault? = nil) throws(VaultError) -> ConnectorRewrap {
        try (vault ?? new.vault).rewrap(user: old.user, connector: old.connector, port: old.host)
    }

    private func newRecord() throws -> StoredRecord {
        guard case .rewrapped(let record) = try rewrap() else { throw VaultError.recordMissing }
        return record
    }

    @Test func aConnectorIsSealedUnderTheActiveKeyAsItsNextVersion() throws {
        try old.put("token", version: 1)
        let record = try newRecord()
        #expect(record.keyVersion == 2)
        #expect(record.recordVersion == 2)
        #expect(try new.vault.put(record, user: old.user, connector: old.connector, port: old.host) == .stored)
        let after = TokenVault(policy: policy(2), kms: old.kms)
        #expect(try old.token(after) == "token")
        #expect(
            try after.check(user: old.user, connector: old.connector, port: old.host)
                == ConnectorState(recordVersion: 2, accountHash: old.account))
        #expect(try rewrap() == .current(recordVersion: 2))
    }

    @Test func aTombstoneStaysOne() throws {
        old.store(
            try old.vault.sealTombstone(user: old.user, connector: old.connector, recordVersion: 3, port: old.host))
        let record = try newRecord()
        old.store(record)
        let after = TokenVault(policy: policy(2), kms: old.kms)
        #expect(throws: VaultError.recordRevoked) { try old.token(after) }
        #expect(record.recordVersion == 4)
    }

    @Test func anOldRowHandedInIsRefused() throws {
        let first = try old.put("first", version: 1)
        try old.put("second", version: 2)
        #expect(try newRecord().recordVersion == 3)
        old.store(first)
        #expect(throws: VaultError.recordRolledBack) { try rewrap() }
        // Nor may the row be gone.
        old.store(nil)
        #expect(throws: VaultError.recordRolledBack) { try rewrap() }
        #expect(new.vault.statistics.rollbacks == 2)
    }

    @Test func aRowOfAnotherUserOrConnectorIsRefused() throws {
        let other = Bench(kms: old.kms, host: old.host)
        old.store(try other.put("token", version: 1))
        #expect(throws: VaultError.sealedDataRejected) { try rewrap() }
    }

    @Test func aWriterInBetweenWins() throws {
        try old.put("first", version: 1)
        let record = try newRecord()
        try old.put("second", version: 2)
        #expect(try new.vault.put(record, user: old.user, connector: old.connector, port: old.host) == .conflict)
        old.store(try newRecord())
        #expect(try old.token(TokenVault(policy: policy(2), kms: old.kms)) == "second")
    }

    @Test func dataKeepsEveryBindingButTheKeyVersion() throws {
        for purpose in DataPurpose.allCases where !purpose.sealers.isEmpty {
            let sealed = try old.vault.sealData(
                purpose: purpose, user: old.user, recordID: "row", recordVersion: 5, plaintext: Array("value".utf8),
                port: old.host)
            let rewrapped = try new.vault.rewrapData(
                purpose: purpose, user: old.user, recordID: "row", recordVersion: 5, sealed: sealed, port: old.host)
            #expect(rewrapped.count == sealed.count)
            let after = TokenVault(policy: policy(2), kms: old.kms)
            func open(_ recordID: String, _ version: UInt64) throws -> [UInt8] {
                try after.openData(
                    purpose: purpose, user: old.user, recordID: recordID, recordVersion: version, sealed: rewrapped,
                    port: old.host)
            }
            #expect(try open("row", 5) == Array("value".utf8))
            #expect(throws: VaultError.sealedDataRejected) { try open("other", 5) }
            #expect(throws: VaultError.sealedDataRejected) { try open("row", 6) }
        }
    }

    @Test func aVerifierCanBeSealedAnewAndAConnectorCannot() throws {
        let state = OAuthStateID(UUID())
        let sealed = try old.vault.sealVerifier(
            SecretBytes(copying: Array("verifier".utf8)), issuedAt: 7, stateHash: [UInt8](repeating: 1, count: 32),
            user: old.user, state: state, port: old.host)
        let rewrapped = try new.vault.rewrapData(
            purpose: .oauthPKCEVerifier, user: old.user, recordID: state.uuid.lowercased, recordVersion: 0,
            sealed: sealed, port: old.host)
        let opened = try TokenVault(policy: policy(2), kms: old.kms).openVerifier(
            rewrapped, user: old.user, state: state, port: old.host)
        #expect(opened.issuedAt == 7)
        let record = try old.put("token", version: 1)
        #expect(throws: VaultError.sealedDataRejected) {
            try new.vault.rewrapData(
                purpose: .connectorRefreshToken, user: old.user, recordID: old.connector.uuid.lowercased,
                recordVersion: 1, sealed: record.sealed, port: old.host)
        }
    }

    @Test func whatDoesNotOpenIsNotSealedAnew() throws {
        let sealed = try old.vault.sealData(
            purpose: .jobPayload, user: old.user, recordID: "row", recordVersion: 0, plaintext: [1, 2, 3],
            port: old.host)
        func outcome(_ sealed: [UInt8], _ recordID: String = "row", _ vault: TokenVault? = nil) -> VaultError? {
            do throws(VaultError) {
                _ = try (vault ?? new.vault).rewrapData(
                    purpose: .jobPayload, user: old.user, recordID: recordID, recordVersion: 0, sealed: sealed,
                    port: old.host)
                return nil
            } catch { return error }
        }
        #expect(outcome(sealed) == nil)
        #expect(outcome(sealed, "other") == .sealedDataRejected)
        #expect(outcome([]) == .sealedDataRejected)
        for index in sealed.indices { #expect(outcome(sealed.flipped(index)) != nil, "byte \(index)") }
        // After the window the old version is refused.
        #expect(outcome(sealed, "row", TokenVault(policy: policy(2), kms: old.kms)) == .keyPolicyMismatch)
    }
}
