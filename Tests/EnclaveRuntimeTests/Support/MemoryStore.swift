import AttestedSession
import EnclaveProtocol
import EnclaveVault
import Synchronization

/// A host's store in memory, as record port and as the handler of a host's session.
final class MemoryStore: RecordPort, CallHandler {
    struct State {
        var records: [ConnectorReference: SealedRecord] = [:]
        var keys: [String: WrappedKey] = [:]
        var reads = 0
        var puts: [RecordPut] = []
        /// Runs before each put, for whatever another writer does meanwhile.
        var beforePut: (@Sendable (MemoryStore) -> Void)?
        /// Puts that are stored but whose answer is lost.
        var lostAnswers = 0
        /// Puts that do not arrive.
        var lostPuts = 0
        var refusesPuts = false
        /// Wrapped keys cannot be read or written.
        var hasNoKeys = false
    }

    let state = Mutex(State())

    func record(user: UserID, connector: ConnectorID) throws(VaultError) -> StoredRecord? {
        state.withLock { state in
            state.reads += 1
            return state.records[ConnectorReference(user: user, connector: connector)]
        }
    }

    func put(
        user: UserID, connector: ConnectorID, expectedVersion: UInt64, record: StoredRecord
    ) throws(VaultError) -> PutOutcome {
        let reference = ConnectorReference(user: user, connector: connector)
        let before = state.withLock { state in
            defer { state.beforePut = nil }
            return state.beforePut
        }
        before?(self)
        return try state.withLock { state throws(VaultError) in
            if state.lostPuts > 0 {
                state.lostPuts -= 1
                throw .recordPortFailed
            }
            if state.refusesPuts { return .refused }
            guard state.records[reference]?.recordVersion ?? 0 == expectedVersion else { return .conflict }
            state.records[reference] = record
            state.puts.append(
                RecordPut(reference: reference, provider: "google", expectedVersion: expectedVersion, record: record))
            if state.lostAnswers > 0 {
                state.lostAnswers -= 1
                throw .recordPortFailed
            }
            return .stored
        }
    }

    func wrappedKey(keyID: String, version: UInt32) throws(VaultError) -> WrappedKey? {
        try state.withLock { state throws(VaultError) in
            if state.hasNoKeys { throw .recordPortFailed }
            return state.keys["\(keyID) \(version)"]
        }
    }

    func putWrappedKey(_ key: WrappedKey, keyID: String, version: UInt32) throws(VaultError) -> Bool {
        let reference = "\(keyID) \(version)"
        return state.withLock { state in
            guard state.keys[reference] == nil else { return false }
            state.keys[reference] = key
            return true
        }
    }

    // MARK: Over a session

    func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) {
        do {
            reply(.success(try answer(call)))
        } catch {
            reply(.failure(EnclaveFailure(.recordPortFailed)))
        }
    }

    func ended(_ session: Session, reason: SessionEnd) {}

    private func answer(_ call: IncomingCall) throws -> [UInt8] {
        switch Method(rawValue: call.method) {
        case .recordGet:
            let request = try ConnectorReference(decoding: call.body)
            return RecordGetAnswer(record: try record(user: request.user, connector: request.connector)).encoded()
        case .recordPut:
            let request = try RecordPut(decoding: call.body)
            return RecordPutAnswer(
                try put(
                    user: request.reference.user, connector: request.reference.connector,
                    expectedVersion: request.expectedVersion, record: request.record)
            ).encoded()
        case .wrappedKeyGet:
            let request = try WrappedKeyReference(decoding: call.body)
            return WrappedKeyGetAnswer(key: try wrappedKey(keyID: request.keyID, version: request.keyVersion))
                .encoded()
        case .wrappedKeyPut:
            let request = try WrappedKeyPut(decoding: call.body)
            return WrappedKeyPutAnswer(
                inserted: try putWrappedKey(
                    request.key, keyID: request.reference.keyID, version: request.reference.keyVersion)
            ).encoded()
        default: throw EnclaveFailure(.unknownMethod)
        }
    }
}
