public import EnclaveProtocol
public import HostStorage

/// Answers the enclave from Postgres, over the repository that has connections of its own.
public struct RecordPort: RecordStore {
    private let repository: SealedRecordRepository

    /// A port over `repository`.
    public init(_ repository: SealedRecordRepository) { self.repository = repository }

    public func record(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord? {
        try await read { () throws(StorageError) in
            try await repository.get(user: reference.user.uuid, connector: reference.connector.uuid)
        }
    }

    public func pendingRecord(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord? {
        try await read { () throws(StorageError) in
            try await repository.getPending(user: reference.user.uuid, connector: reference.connector.uuid)
        }
    }

    private func read(
        _ get: () async throws(StorageError) -> StoredRecord?
    ) async throws(EnclaveFailure) -> SealedRecord? {
        let stored: StoredRecord?
        do throws(StorageError) {
            stored = try await get()
        } catch {
            throw EnclaveFailure(.recordPortFailed)
        }
        guard let stored else { return nil }
        guard let version = UInt64(exactly: stored.recordVersion), let keyVersion = UInt32(exactly: stored.keyVersion)
        else { throw EnclaveFailure(.recordPortFailed) }
        return SealedRecord(
            sealed: stored.sealed, recordVersion: version, keyID: stored.keyID, keyVersion: keyVersion)
    }

    public func put(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome {
        try await write(put) { write throws(StorageError) in try await repository.put(write) }
    }

    public func putPending(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome {
        try await write(put) { write throws(StorageError) in try await repository.putPending(write) }
    }

    private func write(
        _ put: RecordPut, _ store: (SealedRecordWrite) async throws(StorageError) -> SealedRecordOutcome
    ) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome {
        guard let provider = ConnectorProvider(rawValue: put.provider),
            let expected = Int64(exactly: put.expectedVersion), let new = Int64(exactly: put.record.recordVersion)
        else { throw EnclaveFailure(.malformedRequest) }
        let write = SealedRecordWrite(
            user: put.reference.user.uuid, connector: put.reference.connector.uuid, provider: provider,
            expectedVersion: expected, newVersion: new, keyID: put.record.keyID,
            keyVersion: Int(put.record.keyVersion), sealed: put.record.sealed)
        do throws(StorageError) {
            switch try await store(write) {
            case .stored: return .stored
            case .conflict: return .conflict
            case .refused: return .refused
            }
        } catch {
            throw EnclaveFailure(.recordPortFailed)
        }
    }

    public func wrappedKey(
        _ reference: WrappedKeyReference
    ) async throws(EnclaveFailure) -> WrappedKey? {
        do throws(StorageError) {
            let key = try await repository.wrappedKey(keyID: reference.keyID, version: Int(reference.keyVersion))
            return key.map {
                WrappedKey(provider: $0.kmsProvider, wrapped: $0.wrapped, lineageMAC: $0.lineageMAC)
            }
        } catch {
            throw EnclaveFailure(.keyStoreFailed)
        }
    }

    public func insertWrappedKey(_ put: WrappedKeyPut) async throws(EnclaveFailure) -> Bool {
        do throws(StorageError) {
            return try await repository.insertWrappedKey(
                keyID: put.reference.keyID, version: Int(put.reference.keyVersion), kmsProvider: put.key.provider,
                wrapped: put.key.wrapped, lineageMAC: put.key.lineageMAC)
        } catch {
            throw EnclaveFailure(.keyStoreFailed)
        }
    }
}
