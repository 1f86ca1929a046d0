import EnclaveProtocol
import FoundationEssentials
import Sodium
import Testing

@testable import EnclaveVault

/// The sealed format, rebuilt by hand from the data key.
@Suite struct SealedFormatTests {
    private let bench = Bench()

    /// [1, purpose, owner, record id, provider, record version, key id, key version], byte by byte.
    private func associatedData(recordVersion: UInt8) -> [UInt8] {
        func text(_ value: String) -> [UInt8] {
            let utf8 = Array(value.utf8)
            return (utf8.count < 24 ? [0x60 | UInt8(utf8.count)] : [0x78, UInt8(utf8.count)]) + utf8
        }
        return [0x88, 0x01] + text("connector.refresh_token") + [0x50] + bench.user.uuid.networkBytes
            + text(bench.connector.uuid.uuidString.lowercased()) + text("google") + [recordVersion] + text(keyID) + [1]
    }

    private func derived(nonce: [UInt8]) -> (encrypt: [UInt8], commitment: [UInt8]) {
        let keys = Hash.hkdfSHA512(
            secret: SecretBytes(copying: bench.dataKey(1)), salt: nonce,
            info: Array("alfred/seal/1connector.refresh_token".utf8), count: 64)
        return keys.withUnsafeBytes { (Array($0[..<32]), Array($0[32...])) }
    }

    @Test func isWhatTheFormatSays() throws {
        let sealed = try bench.sealed("1//refresh", version: 7).sealed
        #expect(sealed[0] == 1)
        #expect(Array(sealed[1..<17]) == Array(Hash.sha256(Array(keyID.utf8))[..<16]))
        #expect(Array(sealed[17..<21]) == [0, 0, 0, 1])
        #expect(Array(sealed[21..<29]) == [0, 0, 0, 0, 0, 0, 0, 7])
        let nonce = Array(sealed[29..<53])
        let (encrypt, commitment) = derived(nonce: nonce)
        #expect(Array(sealed[53..<85]) == commitment)
        let plaintext = Array(sealed[85...]).withUnsafeBytes { ciphertext in
            encrypt.withUnsafeBytes {
                XChaCha20Poly1305.openPublic(
                    ciphertext: ciphertext, key: $0, nonce: nonce, ad: associatedData(recordVersion: 7))
            }
        }
        #expect(plaintext == [1] + bench.account + Array("1//refresh".utf8))
    }

    /// Seals by hand, so that a test can put wrong things into an authentic record.
    private func forge(_ plaintext: [UInt8], commitment: [UInt8]? = nil) throws -> StoredRecord {
        let record = try bench.sealed("x", version: 1)
        let nonce = Random.bytes(24)
        let keys = derived(nonce: nonce)
        let ciphertext = plaintext.withUnsafeBytes { plaintext in
            keys.encrypt.withUnsafeBytes {
                XChaCha20Poly1305.seal(
                    plaintext: plaintext, key: $0, nonce: nonce, ad: associatedData(recordVersion: 1))
            }
        }
        return record.with(
            sealed: Array(record.sealed[..<29]) + nonce + (commitment ?? keys.commitment) + ciphertext)
    }

    @Test func opensWhatWasSealedByHand() throws {
        bench.store(try forge([1] + bench.account + Array("by hand".utf8)))
        #expect(try bench.token() == "by hand")
    }

    @Test func refusesAnAuthenticCiphertextWithoutItsCommitment() throws {
        let plaintext = [1] + bench.account + Array("by hand".utf8)
        for commitment in [Random.bytes(32), [UInt8](repeating: 0, count: 32)] {
            bench.store(try forge(plaintext, commitment: commitment))
            #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        }
    }

    @Test(
        arguments: [
            [], [0], [3], [1], [2, 0], [1] + [UInt8](repeating: 7, count: 31), [1] + [UInt8](repeating: 7, count: 32),
        ] as [[UInt8]])
    func refusesAnAuthenticPlaintextOfNoKnownShape(_ plaintext: [UInt8]) throws {
        bench.store(try forge(plaintext))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
    }

    @Test func sealsNeverTwiceTheSame() throws {
        #expect(try bench.sealed("same", version: 1).sealed != bench.sealed("same", version: 1).sealed)
    }

    @Test func refusesEveryFlippedByte() throws {
        let record = try bench.put("token", version: 1)
        for index in record.sealed.indices {
            bench.store(record.with(sealed: record.sealed.flipped(index)))
            // Key id hash and key version speak of the policy, everything else of the data.
            let expected: VaultError = (1..<21).contains(index) ? .keyPolicyMismatch : .sealedDataRejected
            #expect(throws: expected, "byte \(index)") { try bench.token() }
        }
        bench.store(record)
        #expect(try bench.token() == "token")
    }

    @Test func refusesEveryTruncation() throws {
        let record = try bench.put("token", version: 1)
        for count in 0..<record.sealed.count {
            bench.store(record.with(sealed: Array(record.sealed[..<count])))
            #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
        }
        bench.store(record.with(sealed: record.sealed + [0]))
        #expect(throws: VaultError.sealedDataRejected) { try bench.token() }
    }
}
