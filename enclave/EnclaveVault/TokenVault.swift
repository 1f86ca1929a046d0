internal import EnclaveProtocol
internal import Sodium
internal import Synchronization

/// The only place where a stored secret becomes plaintext.
///
/// Every method blocks, at most on the record port and on KMS; many threads may call at once.
public final class TokenVault: Sendable {
    let keys: DataKeys
    let memory: Mutex<VersionMemory>
    private let rollbacks = Mutex<UInt64>(0)
    /// Two keys of 32 bytes made at start: one hashes ids, one hashes contents, for the version memory.
    private let digestKeys = SecretBytes(random: 64)

    /// A vault under a measured policy; data keys are fetched on first use.
    public convenience init(policy: KeyPolicy, kms: any KeyManagement) {
        self.init(policy: policy, kms: kms, memoryLimit: VersionMemory.defaultLimit)
    }

    init(policy: KeyPolicy, kms: any KeyManagement, memoryLimit: Int) {
        keys = DataKeys(policy: policy, kms: kms)
        memory = Mutex(VersionMemory(limit: memoryLimit))
    }

    /// The measured policy.
    public var policy: KeyPolicy { keys.policy }

    /// Loads the active key now, so that the first user does not wait for KMS.
    public func warmUp(port: some RecordPort) throws(VaultError) {
        _ = try keys.key(policy.activeVersion, port: port)
    }

    /// Figures for `metrics` and `keys.status`.
    public var statistics: VaultStatistics {
        let (entries, evictions) = memory.withLock { ($0.count, $0.evictions) }
        return VaultStatistics(
            rememberedConnectors: entries, evictedConnectors: evictions, rollbacks: rollbacks.withLock { $0 },
            loadedKeyVersions: keys.loadedVersions)
    }

    func countRollback() {
        rollbacks.withLock { $0 += 1 }
    }

    // MARK: Digests for the version memory

    func digest(user: UserID, connector: ConnectorID) -> VersionMemory.Digest {
        digest(keyOffset: 0, user.uuid.networkBytes + connector.uuid.networkBytes)
    }

    func digest(content: [UInt8]) -> VersionMemory.Digest {
        digest(keyOffset: 32, content)
    }

    private func digest(keyOffset: Int, _ message: [UInt8]) -> VersionMemory.Digest {
        unsafe digestKeys.withUnsafeBytes { keys in
            unsafe message.withUnsafeBytes { message in
                unsafe SecretMemory.withScratch(Hash.sha256Bytes) { mac in
                    let key = unsafe UnsafeRawBufferPointer(rebasing: keys[keyOffset..<(keyOffset + 32)])
                    unsafe Hash.hmacSHA256(key: key, message, into: mac)
                    return unsafe VersionMemory.Digest(
                        first: mac.load(as: UInt64.self), second: mac.load(fromByteOffset: 8, as: UInt64.self))
                }
            }
        }
    }

    // MARK: Sealing

    /// Seals under the active key.
    func seal(
        _ plaintext: UnsafeRawBufferPointer, context: SealContext, port: some RecordPort
    ) throws(VaultError) -> [UInt8] {
        let key = try keys.key(policy.activeVersion, port: port)
        return unsafe Sealer.seal(plaintext, context: context, policy: policy, key: key)
    }

    /// Opens into scratch memory, which is wiped when `use` returns or throws.
    func open<R: ~Copyable>(
        _ sealed: [UInt8], context: SealContext, port: some RecordPort,
        use: (UnsafeRawBufferPointer) throws(VaultError) -> R
    ) throws(VaultError) -> R {
        let header = try SealedHeader(sealed, policy: policy, context: context)
        let key = try keys.key(header.keyVersion, port: port)
        return try unsafe SecretMemory.withScratch(sealed.count - SealedHeader.overhead) {
            plaintext throws(VaultError) in
            try unsafe Sealer.open(
                sealed, header: header, context: context, policy: policy, key: key, into: plaintext)
            return try unsafe use(UnsafeRawBufferPointer(plaintext))
        }
    }
}

/// Figures of a vault.
public struct VaultStatistics: Sendable, Equatable {
    /// Connectors in the version memory.
    public let rememberedConnectors: Int
    /// Entries that the version memory gave up for newer ones.
    public let evictedConnectors: UInt64
    /// Records refused as rolled back.
    public let rollbacks: UInt64
    /// Data key versions in memory, ascending.
    public let loadedKeyVersions: [UInt32]
}
