import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// The operations of a rotation, as an operator calls them during the window of two versions.
@Suite struct RewrapOperationTests {
    private let harness: OperationHarness
    private let before: TokenVault

    init() throws {
        harness = try OperationHarness(["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": "1"])
        before = TokenVault(
            policy: try #require(KeyPolicy(keyID: harness.operations.vault.policy.keyID, activeVersion: 1)),
            kms: harness.kms)
    }

    private func plantOld(_ token: String = "token", version: UInt64 = 1) throws {
        let record = try before.seal(
            token: SecretBytes(copying: Array(token.utf8)), accountHash: harness.account("42"),
            user: harness.reference.user, connector: harness.reference.connector, recordVersion: version,
            port: harness.store)
        harness.store.state.withLock { $0.records[harness.reference] = record }
    }

    private func rewrap() throws(EnclaveFailure) -> ConnectorRewrapAnswer {
        try harness.run(.connectorRewrap, harness.reference, as: .operation)
    }

    @Test func aConnectorIsRewrappedOnce() throws {
        try plantOld()
        #expect(try rewrap() == ConnectorRewrapAnswer(.rewrapped, recordVersion: 2))
        #expect(harness.store.state.withLock { $0.records[harness.reference]?.keyVersion } == 2)
        #expect(try harness.storedToken() == "token")
        #expect(try rewrap() == ConnectorRewrapAnswer(.current, recordVersion: 2))
        #expect(harness.store.state.withLock { $0.puts.count } == 1)
    }

    @Test func aConnectorThatIsWrittenMeanwhileIsReadAgain() throws {
        try plantOld()
        harness.store.state.withLock {
            $0.beforePut = { _ in try? plantOld("rotated", version: 2) }
        }
        #expect(try rewrap() == ConnectorRewrapAnswer(.rewrapped, recordVersion: 3))
        #expect(try harness.storedToken() == "rotated")
    }

    @Test func aRewrapWhoseAnswerIsLostIsDone() throws {
        try plantOld()
        harness.store.state.withLock { $0.lostAnswers = 1 }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try rewrap() } == .recordPortFailed)
        #expect(try rewrap() == ConnectorRewrapAnswer(.current, recordVersion: 2))
    }

    @Test func aRowThatIsMissingRefusedOrOlderIsSaidToBe() throws {
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try rewrap() } == .recordMissing)
        try plantOld(version: 5)
        let old = try #require(harness.store.state.withLock { $0.records[harness.reference] })
        harness.store.state.withLock { $0.refusesPuts = true }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try rewrap() } == .recordRefused)
        harness.store.state.withLock { $0.refusesPuts = false }
        #expect(try rewrap() == ConnectorRewrapAnswer(.rewrapped, recordVersion: 6))
        harness.store.state.withLock { $0.records[harness.reference] = old }
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try rewrap() } == .recordRolledBack)
    }

    @Test func itemsAreRewrappedEachAlone() throws {
        let user = harness.reference.user
        let sealed = try before.sealData(
            purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, plaintext: Array("payload".utf8),
            port: harness.store)
        func item(_ purpose: DataPurpose, _ recordID: String) -> DataItem {
            DataItem(purpose: purpose, user: user, recordID: recordID, content: sealed)
        }
        let answer: DataResults = try harness.run(
            .dataRewrap,
            DataItems([
                item(.jobPayload, "job"), item(.jobPayload, "other"), item(.pushPayload, "job"),
                item(.connectorRefreshToken, "job"),
            ]), as: .operation)
        #expect(answer.keyVersion == 2)
        #expect(
            Array(answer.results.dropFirst())
                == [.failure(.sealedDataRejected), .failure(.sealedDataRejected), .failure(.roleNotAllowed)])
        let rewrapped = try #require(try answer.results.first?.get())
        let after = TokenVault(
            policy: try #require(KeyPolicy(keyID: harness.operations.vault.policy.keyID, activeVersion: 2)),
            kms: harness.kms)
        let opened = try after.openData(
            purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, sealed: rewrapped,
            port: harness.store)
        #expect(opened == Array("payload".utf8))
    }

    @Test func theStatusTellsVersionsAndNoKey() throws {
        let first: KeysStatus = try harness.run(.keysStatus, EmptyMessage(), as: .operation)
        #expect(
            first
                == KeysStatus(
                    keyID: harness.operations.vault.policy.keyID, activeVersion: 2, decryptVersions: [1],
                    loadedVersions: []))
        try plantOld()
        _ = try rewrap()
        let then: KeysStatus = try harness.run(.keysStatus, EmptyMessage(), as: .operation)
        #expect(then.loadedVersions == [1, 2])
    }

    @Test func belongToTheOperatorAlone() {
        for method in [Method.dataRewrap, .connectorRewrap, .keysStatus] { #expect(method.roles == [.operation]) }
        #expect(Method.kmsCredentials.roles == Set(Role.allCases))
    }
}
