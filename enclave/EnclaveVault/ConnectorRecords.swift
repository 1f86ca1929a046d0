public import EnclaveProtocol
public import Sodium
internal import Synchronization

extension TokenVault {
    /// Readings of one record when others keep writing it meanwhile.
    private static let maximumReadings = 3

    /// Reads and opens a connector's record.
    ///
    /// - Throws: `.recordRevoked` for a tombstone; `.recordMissing`, `.recordRolledBack`, `.keyPolicyMismatch`,
    ///   `.sealedDataRejected`; `.recordConflict` when it changed during every reading.
    public func open(
        user: UserID, connector: ConnectorID, port: some RecordPort
    ) throws(VaultError) -> OpenedConnector {
        switch try openIncludingTombstone(user: user, connector: connector, port: port) {
        case .connected(let opened): return opened
        case .tombstone: throw .recordRevoked
        }
    }

    /// Reads and opens a connector's record, a tombstone too.
    public func openIncludingTombstone(
        user: UserID, connector: ConnectorID, port: some RecordPort
    ) throws(VaultError) -> ConnectorRecord {
        try unsafe read(user: user, connector: connector, port: port) { plaintext, version, _ throws(VaultError) in
            guard try unsafe ConnectorContent.holdsToken(plaintext) else { return .tombstone(recordVersion: version) }
            return unsafe .connected(
                OpenedConnector(
                    token: ConnectorContent.token(plaintext), accountHash: ConnectorContent.accountHash(plaintext),
                    recordVersion: version))
        }
    }

    /// Reads and opens a connector's record like `open`, without lending the token: takes no locked memory, for callers
    /// that have an access token already.
    public func check(
        user: UserID, connector: ConnectorID, port: some RecordPort
    ) throws(VaultError) -> ConnectorState {
        try unsafe read(user: user, connector: connector, port: port) { plaintext, version, _ throws(VaultError) in
            guard try unsafe ConnectorContent.holdsToken(plaintext) else { throw .recordRevoked }
            return unsafe ConnectorState(
                recordVersion: version, accountHash: ConnectorContent.accountHash(plaintext))
        }
    }

    /// Seals a token as record version `recordVersion`; the account hash has 32 bytes.
    public func seal(
        token: borrowing SecretBytes, accountHash: [UInt8], user: UserID, connector: ConnectorID, recordVersion: UInt64,
        port: some RecordPort
    ) throws(VaultError) -> StoredRecord {
        guard accountHash.count == ConnectorContent.accountHashBytes,
            (1...ConnectorContent.maximumTokenBytes).contains(token.count)
        else { throw .sealedDataRejected }
        let context = SealContext.connector(connector, of: user, recordVersion: recordVersion)
        let sealed = try unsafe SecretMemory.withScratch(ConnectorContent.tokenOffset + token.count) {
            plaintext throws(VaultError) in
            unsafe plaintext[0] = ConnectorContent.tokenType
            unsafe UnsafeMutableRawBufferPointer(rebasing: plaintext[1...]).copyBytes(from: accountHash)
            unsafe token.withUnsafeBytes { token in
                unsafe UnsafeMutableRawBufferPointer(rebasing: plaintext[ConnectorContent.tokenOffset...])
                    .copyMemory(from: token)
            }
            return try unsafe seal(UnsafeRawBufferPointer(plaintext), context: context, port: port)
        }
        return stored(sealed, recordVersion)
    }

    /// Seals a tombstone as record version `recordVersion`.
    public func sealTombstone(
        user: UserID, connector: ConnectorID, recordVersion: UInt64, port: some RecordPort
    ) throws(VaultError) -> StoredRecord {
        let context = SealContext.connector(connector, of: user, recordVersion: recordVersion)
        let sealed = try unsafe SecretMemory.withScratch(1) { plaintext throws(VaultError) in
            unsafe plaintext[0] = ConnectorContent.tombstoneType
            return try unsafe seal(UnsafeRawBufferPointer(plaintext), context: context, port: port)
        }
        return stored(sealed, recordVersion)
    }

    /// Seals a connector's record, a tombstone too, anew under the active key as its next version; nothing is stored.
    ///
    /// An old row handed in is refused like at every reading.
    public func rewrap(
        user: UserID, connector: ConnectorID, port: some RecordPort
    ) throws(VaultError) -> ConnectorRewrap {
        try unsafe read(user: user, connector: connector, port: port) {
            plaintext, version, keyVersion throws(VaultError) in
            guard keyVersion != policy.activeVersion else { return .current(recordVersion: version) }
            _ = try unsafe ConnectorContent.holdsToken(plaintext)
            let context = SealContext.connector(connector, of: user, recordVersion: version + 1)
            return .rewrapped(stored(try unsafe seal(plaintext, context: context, port: port), version + 1))
        }
    }

    /// Stores a record sealed here by compare-and-swap on the version before it, and remembers it once acknowledged.
    ///
    /// An acknowledgement for a version that was seen with other content is no honest one: it counts as a conflict.
    public func put(
        _ record: StoredRecord, user: UserID, connector: ConnectorID, port: some RecordPort
    ) throws(VaultError) -> PutOutcome {
        guard record.recordVersion > 0 else { throw .sealedDataRejected }
        let outcome = try port.put(
            user: user, connector: connector, expectedVersion: record.recordVersion - 1, record: record)
        guard outcome == .stored else { return outcome }
        guard acknowledged(record, user: user, connector: connector) else {
            countRollback()
            return .conflict
        }
        return .stored
    }

    /// Remembers a record whose put was acknowledged; false when its version was seen with other content.
    @discardableResult
    public func acknowledged(_ record: StoredRecord, user: UserID, connector: ConnectorID) -> Bool {
        let id = digest(user: user, connector: connector)
        let content = digest(content: record.sealed)
        return memory.withLock { memory in
            memory.remember(id, version: record.recordVersion, content: content)
            guard let seen = memory.seen(id), seen.version == record.recordVersion else { return true }
            return seen.content == content
        }
    }

    private func stored(_ sealed: [UInt8], _ recordVersion: UInt64) -> StoredRecord {
        StoredRecord(
            sealed: sealed, recordVersion: recordVersion, keyID: policy.keyID, keyVersion: policy.activeVersion)
    }

    // MARK: Reading

    /// Reads, opens and compares with what was seen; reads again when another thread has moved on meanwhile.
    private func read<R: ~Copyable>(
        user: UserID, connector: ConnectorID, port: some RecordPort,
        use: (_ plaintext: UnsafeRawBufferPointer, _ recordVersion: UInt64, _ keyVersion: UInt32) throws(VaultError) ->
            R
    ) throws(VaultError) -> R {
        let id = digest(user: user, connector: connector)
        for _ in 0..<Self.maximumReadings {
            // What was known before the host was asked: below it, the answer cannot be honest.
            let floor = memory.withLock { $0.seen(id) }
            guard let record = try port.record(user: user, connector: connector) else {
                if floor != nil { throw rolledBack() }
                if memory.withLock({ $0.seen(id) }) == nil { throw .recordMissing }
                continue
            }
            guard record.keyID == policy.keyID else { throw .keyPolicyMismatch }
            let context = SealContext.connector(connector, of: user, recordVersion: record.recordVersion)
            let header = try SealedHeader(record.sealed, policy: policy, context: context)
            guard header.keyVersion == record.keyVersion else { throw .keyPolicyMismatch }
            let result = try unsafe open(record.sealed, context: context, port: port) {
                plaintext throws(VaultError) -> R? in
                guard try isCurrent(record, id: id, floor: floor) else { return nil }
                return try unsafe use(plaintext, record.recordVersion, header.keyVersion)
            }
            if let result { return result }
        }
        throw .recordConflict
    }

    /// Whether an authentic record is the newest known, which it is from now on; false where it is merely overtaken.
    private func isCurrent(
        _ record: StoredRecord, id: VersionMemory.Digest, floor: VersionMemory.Seen?
    ) throws(VaultError) -> Bool {
        let content = digest(content: record.sealed)
        let version = record.recordVersion
        let seen = memory.withLock { memory in
            let seen = memory.seen(id)
            memory.remember(id, version: version, content: content)
            return seen
        }
        if let floor, version < floor.version { throw rolledBack() }
        for known in [floor, seen] where known?.version == version && known?.content != content { throw rolledBack() }
        return version >= seen?.version ?? 0
    }

    private func rolledBack() -> VaultError {
        countRollback()
        return .recordRolledBack
    }
}
