import EnclaveProtocol
import FoundationEssentials
import Sodium
import Synchronization
import Testing

@testable import EnclaveVault

/// A new data key is believed because the one before vouches for it.
@Suite struct LineageTests {
    private let first = Bench()

    private func rotated() throws -> Bench {
        try first.put("token", version: 1)
        return Bench(policy: policy(2, [1]), kms: first.kms, host: first.host)
    }

    private func warmUp(_ policy: KeyPolicy, lineageMAC: [UInt8]?) throws -> VaultError? {
        let key = try #require(first.host.state.withLock { $0.keys[2] })
        first.host.state.withLock {
            $0.keys[2] = WrappedKey(provider: key.provider, wrapped: key.wrapped, lineageMAC: lineageMAC)
        }
        do throws(VaultError) {
            try TokenVault(policy: policy, kms: first.kms).warmUp(port: first.host)
            return nil
        } catch { return error }
    }

    @Test func theFirstVersionHasNone() throws {
        try first.put("token", version: 1)
        let key = try #require(first.host.state.withLock { $0.keys[1] })
        #expect(key.lineageMAC == nil)
    }

    @Test func bothVersionsOpenDuringARotationAndTheNewOneSeals() throws {
        let second = try rotated()
        #expect(try first.token(second.vault) == "token")
        let record = try second.vault.seal(
            token: SecretBytes(copying: [1]), accountHash: first.account, user: first.user,
            connector: first.connector, recordVersion: 2, port: first.host)
        #expect(record.keyVersion == 2)
        #expect(second.vault.statistics.loadedKeyVersions == [1, 2])
        // The release before it opens both as well.
        first.store(record)
        #expect(try first.token(TokenVault(policy: policy(1, [2]), kms: first.kms)) == "\u{1}")
        // The release after it opens the new one only.
        let third = TokenVault(policy: policy(2), kms: first.kms)
        #expect(try first.token(third) == "\u{1}")
    }

    @Test func isTheMACThatTheFormatSays() throws {
        try rotated().vault.warmUp(port: first.host)
        let key = try #require(first.host.state.withLock { $0.keys[2] })
        let macKey = Hash.hkdfSHA512(
            secret: SecretBytes(copying: first.dataKey(1)), salt: [], info: Array("alfred/lineage/1".utf8), count: 64)
        let id = Array(keyID.utf8)
        let message = [0x83, 0x78, UInt8(id.count)] + id + [0x02, 0x58, UInt8(key.wrapped.count)] + key.wrapped
        #expect(key.lineageMAC == macKey.withUnsafeBytes { Hash.hmacSHA512(key: $0, message) })
    }

    @Test func refusesAKeyWithoutTheWordOfThePredecessorItMayOpen() throws {
        try rotated().vault.warmUp(port: first.host)
        let mac = try #require(first.host.state.withLock { $0.keys[2] }?.lineageMAC)
        #expect(try warmUp(policy(2, [1]), lineageMAC: mac) == nil)
        #expect(try warmUp(policy(2, [1]), lineageMAC: nil) == .keyPolicyMismatch)
        for index in mac.indices {
            #expect(try warmUp(policy(2, [1]), lineageMAC: mac.flipped(index)) == .keyPolicyMismatch)
        }
        // Where the predecessor may not be opened there is nothing to compare with.
        #expect(try warmUp(policy(2), lineageMAC: nil) == nil)
    }

    @Test func refusesAKeyThatSomeoneElseMade() throws {
        let second = try rotated()
        // KMS itself would open it: made by whoever may encrypt, not by an enclave.
        let wrapped = first.kms.wrap(Random.bytes(32), keyID: keyID, version: 2)
        let stranger = try DataKey(SecretBytes(random: 32))
        first.host.state.withLock {
            $0.keys[2] = WrappedKey(
                provider: "local", wrapped: wrapped,
                lineageMAC: stranger.lineageMAC(keyID: keyID, version: 2, wrapped: wrapped))
        }
        #expect(throws: VaultError.keyPolicyMismatch) { try second.vault.warmUp(port: first.host) }
    }

    @Test func aPredecessorThatIsHiddenFailsClosed() throws {
        let second = try rotated()
        first.host.state.withLock { $0.keys[1] = nil }
        #expect(throws: VaultError.keyStoreFailed) { try second.vault.warmUp(port: first.host) }
        #expect(first.host.state.withLock { $0.keys.isEmpty })
    }
}
