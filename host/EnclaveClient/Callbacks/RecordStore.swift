public import EnclaveProtocol

/// What the enclave may ask of a host: sealed records and wrapped keys; the host cannot open either.
public protocol RecordStore: Sendable {
    /// The sealed record, or nil where there is none.
    func record(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord?
    /// Stores a record if the expected version is there.
    func put(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome
    /// The record of an erased user whose grant is not revoked yet, or nil.
    func pendingRecord(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord?
    /// Stores a record where one of an erased user waits under the expected version.
    func putPending(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome
    /// The wrapped key, or nil where there is none.
    func wrappedKey(_ reference: WrappedKeyReference) async throws(EnclaveFailure) -> WrappedKey?
    /// Stores a wrapped key where there is none; false when one was there.
    func insertWrappedKey(_ put: WrappedKeyPut) async throws(EnclaveFailure) -> Bool
}

/// A store without erased users.
extension RecordStore {
    public func pendingRecord(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord? { nil }

    public func putPending(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome { .conflict }
}
