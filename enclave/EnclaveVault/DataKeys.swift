internal import EnclaveProtocol
internal import Sodium
internal import Synchronization

/// A data key in locked memory.
final class DataKey: Sendable {
    static let byteCount = 32

    let secret: SecretBytes

    /// Takes over 32 bytes.
    init(_ secret: consuming SecretBytes) throws(VaultError) {
        guard secret.count == Self.byteCount else { throw .keyStoreFailed }
        self.secret = secret
    }

    /// What the key of version N, being this one, says about its successor N + 1.
    func lineageMAC(keyID: String, version: UInt32, wrapped: [UInt8]) -> [UInt8] {
        var writer = CBORWriter(capacity: wrapped.count + keyID.utf8.count + 16)
        writer.array(3)
        writer.text(keyID)
        writer.unsigned(UInt64(version))
        writer.bytes(wrapped)
        let message = writer.bytes
        let info = Array("alfred/lineage/1".utf8)
        return unsafe SecretMemory.withScratch(Hash.sha512Bytes) { key in
            unsafe secret.withUnsafeBytes { secret in
                unsafe info.withUnsafeBytes { info in
                    unsafe Hash.hkdfSHA512(
                        secret: secret, salt: UnsafeRawBufferPointer(start: nil, count: 0), info: info, into: key)
                }
            }
            return unsafe Hash.hmacSHA512(key: UnsafeRawBufferPointer(key), message)
        }
    }
}

/// The data keys this enclave may use, one slot for each version of the policy; loaded on first use.
final class DataKeys: Sendable {
    let policy: KeyPolicy
    private let kms: any KeyManagement
    private let slots: [UInt32: Slot]

    init(policy: KeyPolicy, kms: any KeyManagement) {
        self.policy = policy
        self.kms = kms
        slots = Dictionary(uniqueKeysWithValues: ([policy.activeVersion] + policy.decryptVersions).map { ($0, Slot()) })
    }

    /// Versions whose key is in memory, ascending.
    var loadedVersions: [UInt32] {
        slots.filter { $0.value.loaded != nil }.keys.sorted()
    }

    /// The key of `version`; the first caller loads it while the others wait for what it finds.
    func key(_ version: UInt32, port: some RecordPort) throws(VaultError) -> DataKey {
        guard let slot = slots[version] else { throw .keyPolicyMismatch }
        if let key = slot.loaded { return key }
        return try slot.load { () throws(VaultError) in try load(version, port: port) }
    }

    private func load(_ version: UInt32, port: some RecordPort) throws(VaultError) -> DataKey {
        // A key that an allowed predecessor can vouch for needs its word. Locks are taken from high to low versions.
        var predecessor: DataKey?
        if policy.mayOpen(version - 1) { predecessor = try key(version - 1, port: port) }
        if let stored = try port.wrappedKey(keyID: policy.keyID, version: version) {
            return try unwrap(stored, version: version, predecessor: predecessor)
        }
        guard version == policy.activeVersion else { throw .keyStoreFailed }

        let generated = try kms.generateDataKey(keyID: policy.keyID, version: version)
        let fresh = WrappedKey(
            provider: kms.providerName, wrapped: generated.wrapped,
            lineageMAC: predecessor?.lineageMAC(keyID: policy.keyID, version: version, wrapped: generated.wrapped))
        if try port.putWrappedKey(fresh, keyID: policy.keyID, version: version) {
            return try DataKey(generated.takePlaintext())
        }
        // Another enclave was faster: its key is the one to use.
        guard let winner = try port.wrappedKey(keyID: policy.keyID, version: version) else { throw .keyStoreFailed }
        return try unwrap(winner, version: version, predecessor: predecessor)
    }

    private func unwrap(
        _ stored: WrappedKey, version: UInt32, predecessor: DataKey?
    ) throws(VaultError) -> DataKey {
        guard stored.provider == kms.providerName else { throw .keyPolicyMismatch }
        if let predecessor {
            let expected = predecessor.lineageMAC(keyID: policy.keyID, version: version, wrapped: stored.wrapped)
            guard let mac = stored.lineageMAC, constantTimeEqual(mac, expected) else { throw .keyPolicyMismatch }
        }
        return try DataKey(try kms.unwrap(stored.wrapped, keyID: policy.keyID, version: version))
    }
}

/// One version's key and the gate through which one thread at a time loads it.
private final class Slot: Sendable {
    private struct Failures {
        var count = 0
        var last = VaultError.keyStoreFailed
    }

    private let key = Mutex<DataKey?>(nil)
    private let failures = Mutex(Failures())
    /// Held while loading, which ends with the deadline of the call that loads and the limit that KMS has of its own.
    private let gate = Mutex<Void>(())

    var loaded: DataKey? { key.withLock { $0 } }

    /// Loads the key unless it is there. Who waited while the load failed gets that failure instead of trying in turn,
    /// so that a queue of callers is done after one load.
    func load(_ body: () throws(VaultError) -> DataKey) throws(VaultError) -> DataKey {
        let before = failures.withLock { $0.count }
        return try gate.withLock { _ throws(VaultError) in
            if let key = loaded { return key }
            let now = failures.withLock { $0 }
            if now.count != before { throw now.last }
            do throws(VaultError) {
                let fresh = try body()
                key.withLock { $0 = fresh }
                return fresh
            } catch {
                failures.withLock {
                    $0.count += 1
                    $0.last = error
                }
                throw error
            }
        }
    }
}
