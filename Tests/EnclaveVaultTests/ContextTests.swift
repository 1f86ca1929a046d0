import EnclaveProtocol
import FoundationEssentials
import Sodium
import Synchronization
import Testing

@testable import EnclaveVault

/// A sealed value opens in the place it was sealed for, and nowhere else.
@Suite struct ContextTests {
    private let bench = Bench()

    @Test func refusesTheRecordOfAnotherUser() throws {
        let record = try bench.put("token of A", version: 1)
        let other = UserID(UUID())
        bench.host.set(record, user: other, connector: bench.connector)
        #expect(throws: VaultError.sealedDataRejected) {
            _ = try bench.vault.check(user: other, connector: bench.connector, port: bench.host)
        }
    }

    @Test func refusesTheRecordOfAnotherConnector() throws {
        let record = try bench.put("token", version: 1)
        let other = ConnectorID(UUID())
        bench.host.set(record, user: bench.user, connector: other)
        #expect(throws: VaultError.sealedDataRejected) {
            _ = try bench.vault.check(user: bench.user, connector: other, port: bench.host)
        }
    }

    @Test func refusesTwoUsersRecordsThatWereSwapped() throws {
        let other = UserID(UUID())
        let otherConnector = ConnectorID(UUID())
        let mine = try bench.put("mine", version: 1)
        let theirs = try bench.vault.seal(
            token: SecretBytes(copying: Array("theirs".utf8)), accountHash: bench.account, user: other,
            connector: otherConnector, recordVersion: 1, port: bench.host)
        bench.store(theirs)
        bench.host.set(mine, user: other, connector: otherConnector)
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        #expect(throws: VaultError.sealedDataRejected) {
            _ = try bench.vault.check(user: other, connector: otherConnector, port: bench.host)
        }
    }

    @Test func refusesDriftOfEachMetadataColumn() throws {
        let bench = Bench(policy: policy(1, [2]))
        let record = try bench.sealed("token", version: 3)
        bench.store(record.with(keyID: "kms/local/other"))
        #expect(throws: VaultError.keyPolicyMismatch) { try bench.token() }
        bench.store(record.with(keyVersion: 2))
        #expect(throws: VaultError.keyPolicyMismatch) { try bench.token() }
        bench.store(record.with(recordVersion: 4))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        bench.store(record.with(recordVersion: 2))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        bench.store(record)
        #expect(try bench.token() == "token")
    }

    @Test func refusesAHeaderThatWasChangedTogetherWithItsColumn() throws {
        let bench = Bench(policy: policy(1, [2]))
        let record = try bench.put("token", version: 1)
        // A second version that exists, so that only the seal itself can tell.
        let wrapped = bench.kms.wrap(Random.bytes(32), keyID: keyID, version: 2)
        let mac = try DataKey(SecretBytes(copying: bench.dataKey(1)))
            .lineageMAC(keyID: keyID, version: 2, wrapped: wrapped)
        bench.host.state.withLock {
            $0.keys[2] = WrappedKey(provider: "local", wrapped: wrapped, lineageMAC: mac)
        }
        var sealed = record.sealed
        sealed[20] = 2
        bench.store(record.with(sealed: sealed, keyVersion: 2))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        sealed = record.sealed
        sealed[28] = 2
        bench.store(record.with(sealed: sealed, recordVersion: 2))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
    }

    @Test func refusesARecordUnderAnotherKeyIDOrAVersionThatIsNotAllowed() throws {
        try bench.put("token", version: 1)
        let elsewhere = TokenVault(policy: policy(1, keyID: "kms/local/elsewhere"), kms: bench.kms)
        #expect(throws: VaultError.keyPolicyMismatch) { try bench.token(elsewhere) }
        let later = TokenVault(policy: policy(2), kms: bench.kms)
        #expect(throws: VaultError.keyPolicyMismatch) { try bench.token(later) }
    }

    @Test func everyFieldOfTheContextIsBound() throws {
        let key = try DataKey(SecretBytes(random: 32))
        let base = SealContext(
            purpose: .connectorRefreshToken, owner: bench.user, recordID: "r", provider: "google", recordVersion: 1)
        let sealed = [1, 2, 3].withUnsafeBytes { Sealer.seal($0, context: base, policy: policy(), key: key) }
        func open(_ context: SealContext, policy: KeyPolicy = policy()) -> [UInt8]? {
            guard let header = try? SealedHeader(sealed, policy: policy, context: context) else { return nil }
            var plaintext = [UInt8](repeating: 0, count: sealed.count - SealedHeader.overhead)
            let opened = plaintext.withUnsafeMutableBytes { plaintext in
                (try? Sealer.open(
                    sealed, header: header, context: context, policy: policy, key: key, into: plaintext)) != nil
            }
            return opened ? plaintext : nil
        }
        func with(
            _ purpose: DataPurpose = .connectorRefreshToken, owner: UserID? = nil, recordID: String = "r",
            provider: String? = "google", recordVersion: UInt64 = 1
        ) -> SealContext {
            SealContext(
                purpose: purpose, owner: owner ?? bench.user, recordID: recordID, provider: provider,
                recordVersion: recordVersion)
        }
        #expect(open(with()) != nil)
        #expect(open(with(owner: UserID(UUID()))) == nil)
        #expect(open(with(recordID: "s")) == nil)
        #expect(open(with(recordID: "rr")) == nil)
        #expect(open(with(provider: nil)) == nil)
        #expect(open(with(provider: "other")) == nil)
        #expect(open(with(recordVersion: 2)) == nil)
        for purpose in DataPurpose.allCases where purpose != .connectorRefreshToken {
            #expect(open(with(purpose)) == nil)
        }
    }
}
