import AttestedSession
import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// The operations of keys over real sessions, with AWS key management behind them.
@Suite struct ServedKeysTests {
    private let bench: KMSBench
    private let store = MemoryStore()
    private let item = DataItem(purpose: .jobPayload, user: UserID(UUID()), recordID: "job", content: [1, 2, 3])

    init() throws {
        bench = try KMSBench(accepts: nil)
        bench.kms.state.withLock { $0.allowed = ["ROLE"] }
    }

    private func enclave(_ overrides: [String: String] = [:]) throws -> LocalEnclave {
        try LocalEnclave(["KMS_KEY_ID": keyARN].merging(overrides) { $1 }) { [bench] in
            AWSKeyService($0, kms: bench.client)
        }
    }

    private func refusal(_ body: () throws -> Void) -> EnclaveErrorCode? {
        do {
            try body()
            return nil
        } catch {
            guard case .refused(let failure)? = error as? CallFailure else { return .internalFailure }
            return failure.code
        }
    }

    @Test func aStartingEnclaveTakesCredentialsAndNothingElse() throws {
        let enclave = try enclave()
        let early = try enclave.session(as: .worker, store: store)
        func seal(_ session: Session) throws -> DataResults { try session.call(.dataSeal, DataItems([item])) }
        func offer(_ name: String) throws -> KMSCredentialsAnswer {
            try early.call(.kmsCredentials, credentials(name))
        }
        #expect(refusal { _ = try seal(early) } == .draining)
        #expect(try offer("JUNK").outcome == .refused)
        #expect(try enclave.connect().health(deadline: .now.advanced(bySeconds: 5)).status == .starting)
        #expect(try offer("ROLE").outcome == .accepted)
        #expect(try enclave.connect().health(deadline: .now.advanced(bySeconds: 5)).status == .ok)
        // A session of that time rests on evidence of the key made at boot: it goes on carrying credentials only.
        #expect(refusal { _ = try seal(early) } != nil)
        #expect(try offer("ROLE").outcome == .accepted)
        let later = try enclave.session(as: .worker, store: store)
        #expect(try seal(later).results.first?.get().count == 3 + 101)
    }

    @Test func anOperatorRotatesWhileTheOthersMayNot() throws {
        let before = try enclave()
        let first: KMSCredentialsAnswer = try before.session(as: .api, store: store).call(
            .kmsCredentials, credentials("ROLE"))
        #expect(first.outcome == .accepted)
        let sealed: DataResults = try before.session(as: .api, store: store).call(.dataSeal, DataItems([item]))
        let old = DataItem(
            purpose: item.purpose, user: item.user, recordID: item.recordID,
            content: try #require(try sealed.results.first?.get()))

        let enclave = try enclave(["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": "1"])
        let answer: KMSCredentialsAnswer = try enclave.session(as: .operation, store: store).call(
            .kmsCredentials, credentials("ROLE"))
        #expect(answer == KMSCredentialsAnswer(.accepted, clientSecretVersion: nil))
        for role in [Role.api, .worker] {
            let session = try enclave.session(as: role, store: store)
            #expect(refusal { let _: KeysStatus = try session.call(.keysStatus, EmptyMessage()) } == .roleNotAllowed)
            #expect(refusal { let _: DataResults = try session.call(.dataRewrap, DataItems([old])) } == .roleNotAllowed)
        }
        let person = try enclave.session(as: .operation, store: store)
        let rewrapped: DataResults = try person.call(.dataRewrap, DataItems([old]))
        #expect(rewrapped.keyVersion == 2)
        let status: KeysStatus = try person.call(.keysStatus, EmptyMessage())
        #expect(
            status
                == KeysStatus(keyID: keyARN, activeVersion: 2, decryptVersions: [1], loadedVersions: [1, 2]))
        let opened: DataResults = try enclave.session(as: .worker, store: store).call(
            .dataOpen,
            DataItems([
                old,
                DataItem(
                    purpose: old.purpose, user: old.user, recordID: old.recordID,
                    content: try #require(try rewrapped.results.first?.get())),
            ]))
        #expect(opened.results == [.success([1, 2, 3]), .success([1, 2, 3])])
    }
}
