public import EnclaveProtocol

/// A connector's record as it lies in the store: sealed bytes and the metadata columns beside them.
public typealias StoredRecord = SealedRecord

/// What became of a compare-and-swap.
public typealias PutOutcome = RecordPutAnswer.Outcome

/// The way to the host's store; blocking, with the deadline of the call it serves. Nothing it returns is trusted.
public protocol RecordPort: Sendable {
    /// Reads the record of `connector` where it belongs to `user`; nil where there is none.
    func record(user: UserID, connector: ConnectorID) throws(VaultError) -> StoredRecord?

    /// Stores `record` where the version there is `expectedVersion` (0: where there is none yet).
    func put(
        user: UserID, connector: ConnectorID, expectedVersion: UInt64, record: StoredRecord
    ) throws(VaultError) -> PutOutcome

    /// Reads a wrapped data key; nil where there is none yet.
    func wrappedKey(keyID: String, version: UInt32) throws(VaultError) -> WrappedKey?

    /// Inserts a wrapped data key; false where there is one already, which stays.
    func putWrappedKey(_ key: WrappedKey, keyID: String, version: UInt32) throws(VaultError) -> Bool
}
