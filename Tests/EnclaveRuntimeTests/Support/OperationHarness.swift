import AttestedSession
import EnclaveDevShim
import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization

@testable import EnclaveRuntime

/// The operations over a store in memory and a scripted Google; real sealing under a real local KMS.
final class OperationHarness: Sendable {
    let store = MemoryStore()
    let google = ScriptedGoogle()
    let operations: Operations
    let pauses: Pauses
    let kms: LocalKeyManagement
    let reference = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))

    /// What the enclave waited for; no test waits in truth.
    final class Pauses: Sendable {
        let milliseconds = Mutex<[Int]>([])
        let onPause = Mutex<(@Sendable () -> Void)?>(nil)
    }

    init(_ overrides: [String: String] = [:]) throws {
        let configuration = try testConfiguration(overrides)
        let pauses = Pauses()
        self.pauses = pauses
        let folder = try TemporaryFolder()
        kms = try LocalKeyManagement(
            keyFile: try folder.write("kms.key", Base64.encode(Random.bytes(32))), measurement: "m",
            allowedMeasurements: ["m"])
        guard
            let policy = KeyPolicy(
                keyID: configuration.keyID, activeVersion: configuration.keyVersion,
                decryptVersions: configuration.decryptVersions)
        else { throw VaultError.keyPolicyMismatch }
        operations = Operations(
            vault: TokenVault(policy: policy, kms: kms), configuration: configuration, provider: google,
            pause: { milliseconds in
                pauses.milliseconds.withLock { $0.append(milliseconds) }
                pauses.onPause.withLock { $0 }?()
            })
    }

    // MARK: Records

    func account(_ name: String) -> [UInt8] { Hash.sha256(Array("https://accounts.google.com|\(name)".utf8)) }

    /// A record as another enclave would write it: this one has not seen it.
    func sealed(_ token: String, version: UInt64, account: String = "42") throws -> StoredRecord {
        try operations.vault.seal(
            token: SecretBytes(copying: Array(token.utf8)), accountHash: self.account(account), user: reference.user,
            connector: reference.connector, recordVersion: version, port: store)
    }

    func plant(_ token: String, version: UInt64, account: String = "42") throws {
        let record = try sealed(token, version: version, account: account)
        store.state.withLock { $0.records[reference] = record }
    }

    func plantTombstone(version: UInt64) throws {
        let record = try operations.vault.sealTombstone(
            user: reference.user, connector: reference.connector, recordVersion: version, port: store)
        store.state.withLock { $0.records[reference] = record }
    }

    var storedVersion: UInt64? { store.state.withLock { $0.records[reference]?.recordVersion } }

    /// The refresh token in the store, opened by a reader that remembers nothing.
    func storedToken() throws -> String {
        try text(
            operations.vault.open(user: reference.user, connector: reference.connector, port: store).token)
    }

    // MARK: Calls

    /// Runs an operation as the dispatcher does, started again when it was parked.
    func run<Answer: WireMessage>(
        _ method: Method, _ message: some WireMessage, as role: Role = .api
    ) throws(EnclaveFailure) -> Answer {
        let resumed = Monitor<Result<Void, EnclaveFailure>?>(nil)
        var isResumed = false
        while true {
            let context = CallContext(
                role: role, session: 1, deadline: .now.advanced(bySeconds: 20), port: store, lastingPort: store,
                resume: { outcome in resumed.withLock(wake: true) { $0 = outcome } }, isResumed: isResumed)
            switch try operations.run(method, message.encoded(), context) {
            case .answer(let bytes):
                guard let answer = try? Answer(decoding: bytes) else { throw EnclaveFailure(.internalFailure) }
                return answer
            case .parked:
                let outcome = resumed.wait(until: .now.advanced(bySeconds: 20)) { value in
                    defer { value = nil }
                    return value
                }
                guard let outcome else { throw EnclaveFailure(.timedOut) }
                try outcome.get()
                isResumed = true
            }
        }
    }

    func get(_ reference: ConnectorReference? = nil) throws(EnclaveFailure) -> GoogleGetAnswer {
        try run(
            .googleGet,
            GoogleGet(reference: reference ?? self.reference, resource: .gmailMetadata(id: "abc")))
    }

    func refresh(_ reference: ConnectorReference? = nil) throws(EnclaveFailure) -> GoogleRefreshAnswer {
        try run(.googleRefresh, reference ?? self.reference)
    }

    func revoke(_ reference: ConnectorReference? = nil) throws(EnclaveFailure) -> GoogleRevokeAnswer {
        try run(.googleRevoke, reference ?? self.reference)
    }

    /// The code of the refusal of `body`, nil when it succeeds.
    func refusal(_ body: () throws(EnclaveFailure) -> Void) -> EnclaveErrorCode? {
        do throws(EnclaveFailure) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }
}
