import EnclaveProtocol
import FoundationEssentials
import Sodium
import Synchronization

@testable import EnclaveVault

/// Key management with a key of its own and real encryption; counts its calls and can be made to fail.
final class TestKMS: KeyManagement {
    struct Calls {
        var generated = 0
        var unwrapped = 0
        var failing = false
        var onGenerate: (@Sendable () -> Void)?
    }

    let calls = Mutex(Calls())
    let providerName: String
    private let key: [UInt8]

    init(key: [UInt8] = Random.bytes(32), providerName: String = "local") {
        self.key = key
        self.providerName = providerName
    }

    func generateDataKey(keyID: String, version: UInt32) throws(VaultError) -> GeneratedDataKey {
        let (failing, hook) = calls.withLock {
            $0.generated += 1
            return ($0.failing, $0.onGenerate)
        }
        hook?()
        if failing { throw .keyStoreFailed }
        let plaintext = Random.bytes(32)
        return GeneratedDataKey(
            plaintext: SecretBytes(copying: plaintext), wrapped: wrap(plaintext, keyID: keyID, version: version))
    }

    func unwrap(_ wrapped: [UInt8], keyID: String, version: UInt32) throws(VaultError) -> SecretBytes {
        calls.withLock { $0.unwrapped += 1 }
        guard !calls.withLock({ $0.failing }), let plaintext = reveal(wrapped, keyID: keyID, version: version) else {
            throw .keyStoreFailed
        }
        return SecretBytes(copying: plaintext)
    }

    func wrap(_ plaintext: [UInt8], keyID: String, version: UInt32) -> [UInt8] {
        let nonce = Random.bytes(24)
        return plaintext.withUnsafeBytes { plaintext in
            key.withUnsafeBytes {
                nonce
                    + XChaCha20Poly1305.seal(
                        plaintext: plaintext, key: $0, nonce: nonce, ad: Array("\(keyID) \(version)".utf8))
            }
        }
    }

    /// The plaintext of a wrapped key: what only this test double can see.
    func reveal(_ wrapped: [UInt8], keyID: String, version: UInt32) -> [UInt8]? {
        guard wrapped.count > 24 else { return nil }
        return Array(wrapped[24...]).withUnsafeBytes { ciphertext in
            key.withUnsafeBytes {
                XChaCha20Poly1305.openPublic(
                    ciphertext: ciphertext, key: $0, nonce: Array(wrapped[..<24]),
                    ad: Array("\(keyID) \(version)".utf8))
            }
        }
    }
}

/// The host: keeps rows, and does with them whatever a test wants.
final class TestHost: RecordPort {
    struct Row: Hashable {
        let user: UserID
        let connector: ConnectorID
    }

    struct State {
        var records: [Row: StoredRecord] = [:]
        var keys: [UInt32: WrappedKey] = [:]
        var reads = 0
        var keyPuts = 0
        var failing = false
        /// Runs after a record was read and before it is handed over.
        var afterRead: (@Sendable (_ reads: Int) -> Void)?
    }

    let state = Mutex(State())

    func record(user: UserID, connector: ConnectorID) throws(VaultError) -> StoredRecord? {
        let (failing, record, reads, hook) = state.withLock {
            $0.reads += 1
            return ($0.failing, $0.records[Row(user: user, connector: connector)], $0.reads, $0.afterRead)
        }
        if failing { throw .recordPortFailed }
        hook?(reads)
        return record
    }

    func put(
        user: UserID, connector: ConnectorID, expectedVersion: UInt64, record: StoredRecord
    ) throws(VaultError) -> PutOutcome {
        state.withLock {
            let row = Row(user: user, connector: connector)
            guard $0.records[row]?.recordVersion ?? 0 == expectedVersion else { return .conflict }
            $0.records[row] = record
            return .stored
        }
    }

    func wrappedKey(keyID: String, version: UInt32) throws(VaultError) -> WrappedKey? {
        if state.withLock({ $0.failing }) { throw .recordPortFailed }
        return state.withLock { $0.keys[version] }
    }

    func putWrappedKey(_ key: WrappedKey, keyID: String, version: UInt32) throws(VaultError) -> Bool {
        state.withLock {
            $0.keyPuts += 1
            guard $0.keys[version] == nil else { return false }
            $0.keys[version] = key
            return true
        }
    }

    func set(_ record: StoredRecord?, user: UserID, connector: ConnectorID) {
        state.withLock { $0.records[Row(user: user, connector: connector)] = record }
    }
}

let keyID = "kms/local/alfred-refresh-token"

func policy(_ active: UInt32 = 1, _ decrypt: [UInt32] = [], keyID: String = keyID) -> KeyPolicy {
    guard let policy = KeyPolicy(keyID: keyID, activeVersion: active, decryptVersions: decrypt) else {
        preconditionFailure("a test's policy is not valid")
    }
    return policy
}

/// One enclave, one host, one user with one connector.
struct Bench {
    let kms: TestKMS
    let host: TestHost
    let vault: TokenVault
    let user = UserID(UUID())
    let connector = ConnectorID(UUID())
    let account = Hash.sha256(Array("issuer|subject".utf8))

    init(
        policy: KeyPolicy = policy(), kms: TestKMS = TestKMS(), host: TestHost = TestHost(), memoryLimit: Int = 1000
    ) {
        self.kms = kms
        self.host = host
        vault = TokenVault(policy: policy, kms: kms, memoryLimit: memoryLimit)
    }

    func sealed(_ token: String, version: UInt64) throws -> StoredRecord {
        try vault.seal(
            token: SecretBytes(copying: Array(token.utf8)), accountHash: account, user: user, connector: connector,
            recordVersion: version, port: host)
    }

    @discardableResult
    func put(_ token: String, version: UInt64) throws -> StoredRecord {
        let record = try sealed(token, version: version)
        guard try vault.put(record, user: user, connector: connector, port: host) == .stored else {
            throw VaultError.recordConflict
        }
        return record
    }

    func store(_ record: StoredRecord?) {
        host.set(record, user: user, connector: connector)
    }

    /// The token of the stored record.
    func token() throws -> String { try token(vault) }

    func token(_ vault: TokenVault) throws -> String {
        let opened = try vault.open(user: user, connector: connector, port: host)
        return opened.token.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    func dataKey(_ version: UInt32) -> [UInt8] {
        guard let wrapped = host.state.withLock({ $0.keys[version] })?.wrapped else { return [] }
        return kms.reveal(wrapped, keyID: keyID, version: version) ?? []
    }
}

extension StoredRecord {
    func with(
        sealed: [UInt8]? = nil, recordVersion: UInt64? = nil, keyID: String? = nil, keyVersion: UInt32? = nil
    ) -> StoredRecord {
        StoredRecord(
            sealed: sealed ?? self.sealed, recordVersion: recordVersion ?? self.recordVersion,
            keyID: keyID ?? self.keyID, keyVersion: keyVersion ?? self.keyVersion)
    }
}

extension Array where Element == UInt8 {
    func flipped(_ index: Int) -> [UInt8] {
        var copy = self
        copy[index] ^= 1
        return copy
    }
}
