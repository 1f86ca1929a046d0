import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// What someone between enclave and KMS, or a host with rights of its own at KMS, can bring about: nothing opens.
@Suite struct ForgedKeyTests {
    private let bench: KMSBench
    private let store = MemoryStore()
    private let user = UserID(UUID())
    private static let chosen = [UInt8](repeating: 0x41, count: 32)

    init() throws { bench = try KMSBench() }

    /// An enclave that has just started.
    private func vault(_ active: UInt32 = 1, _ decrypt: [UInt32] = []) throws -> TokenVault {
        TokenVault(
            policy: try #require(KeyPolicy(keyID: keyARN, activeVersion: active, decryptVersions: decrypt)),
            kms: bench.client)
    }

    private func seal(_ vault: TokenVault) throws -> [UInt8] {
        try vault.sealData(
            purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, plaintext: Array("payload".utf8),
            port: store)
    }

    private func open(_ sealed: [UInt8], _ vault: TokenVault) throws(VaultError) -> String {
        String(
            decoding: try vault.openData(
                purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, sealed: sealed, port: store),
            as: UTF8.self)
    }

    /// Answers every Decrypt with an envelope that anyone can make.
    private func forge(of version: String = "1") {
        bench.kms.state.withLock {
            $0.change = { request, members in
                guard request.context["key_version"] == version else { return }
                let envelope = try? TestEnvelope().seal(Self.chosen, to: request.publicKey)
                members["CiphertextForRecipient"] = envelope.map(Base64.encode)
            }
        }
    }

    @Test func aForgedAnswerOpensNoSealedValue() throws {
        let sealed = try seal(try vault())
        #expect(try open(sealed, try vault()) == "payload")
        forge()
        let fooled = try vault()
        #expect(throws: VaultError.sealedDataRejected) { try open(sealed, fooled) }
    }

    @Test func aFlippedBitInTheAnswerOpensNoSealedValue() throws {
        let sealed = try seal(try vault())
        // The last byte of the first block of content: the second block's key byte changes, padding and length stay.
        bench.kms.state.withLock { $0.envelope.change = { $0[15] ^= 1 } }
        #expect(throws: VaultError.sealedDataRejected) { try open(sealed, try vault()) }
    }

    @Test func aForgedKeyVouchesForNoSuccessor() throws {
        _ = try seal(try vault())
        let sealed = try seal(try vault(2, [1]))
        #expect(try open(sealed, try vault(2, [1])) == "payload")
        forge(of: "1")
        #expect(throws: VaultError.keyPolicyMismatch) { try open(sealed, try vault(2, [1])) }
    }

    @Test func aWrappedKeyThatTheHostMadeIsRefused() throws {
        _ = try seal(try vault())
        // KMS opens it: made by Encrypt, or by GenerateDataKey without a recipient, under a policy that is too wide.
        let wrapped = bench.kms.encrypt(
            Self.chosen, ["key_id": keyARN, "key_version": "2", "purpose": "data-key"])
        #expect(try bench.unwrap(wrapped, version: 2) == Self.chosen)
        for mac in [nil, [UInt8](repeating: 0, count: 64)] as [[UInt8]?] {
            store.state.withLock {
                $0.keys["\(keyARN) 2"] = WrappedKey(provider: "aws", wrapped: wrapped, lineageMAC: mac)
            }
            #expect(throws: VaultError.keyPolicyMismatch) { try seal(try vault(2, [1])) }
        }
    }

    @Test func twoEnclavesThatRaceUseOneKey() throws {
        let first = try vault()
        let second = try vault()
        let raced = Mutex<[UInt8]>([])
        let once = Atomic(false)
        bench.kms.state.withLock {
            $0.onRequest = { request in
                guard request.target.hasSuffix("GenerateDataKey"), !once.exchange(true, ordering: .relaxed) else {
                    return
                }
                if let sealed = try? seal(second) { raced.withLock { $0 = sealed } }
            }
        }
        let sealed = try seal(first)
        #expect(bench.requests.filter { $0.target.hasSuffix("GenerateDataKey") }.count == 2)
        #expect(try open(sealed, second) == "payload")
        #expect(try open(raced.withLock { $0 }, first) == "payload")
        #expect(store.state.withLock { $0.keys.count } == 1)
    }

    @Test func bothVersionsOpenDuringTheWindowAndTheOldOneNotAfterIt() throws {
        let old = try seal(try vault())
        let rotating = try vault(2, [1])
        #expect(try open(old, rotating) == "payload")
        let rewrapped = try rotating.rewrapData(
            purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, sealed: old, port: store)
        let after = try vault(2)
        #expect(try open(rewrapped, after) == "payload")
        #expect(throws: VaultError.keyPolicyMismatch) { try open(old, after) }
    }
}
