import AttestedSession
import EnclaveProtocol
import Synchronization

/// The host's rows, in the hands of the test: honest unless told to lie, hold back or fall silent.
final class RecordStore: CallHandler {
    typealias Reply = @Sendable (Result<[UInt8], EnclaveFailure>) -> Void

    /// What `record.get` answers in place of the row.
    enum Lie: Sendable {
        case record(SealedRecord?)
        /// The row of somebody else.
        case row(of: ConnectorReference)
        case bytes([UInt8])
    }

    private struct State {
        var rows: [ConnectorReference: SealedRecord] = [:]
        var keys: [String: WrappedKey] = [:]
        var lies: [ConnectorReference: Lie] = [:]
        var holding: Set<ConnectorReference> = []
        var held: [ConnectorReference: (put: RecordPut, reply: Reply)] = [:]
        var reads: [ConnectorReference: Int] = [:]
    }

    private let state = Mutex(State())

    // MARK: - Rows

    func row(_ reference: ConnectorReference) -> SealedRecord? { state.withLock { $0.rows[reference] } }

    func setRow(_ reference: ConnectorReference, _ record: SealedRecord?) {
        state.withLock { $0.rows[reference] = record }
    }

    /// How often the enclave asked for the record.
    func reads(_ reference: ConnectorReference) -> Int { state.withLock { $0.reads[reference] ?? 0 } }

    /// Answers `record.get` with `lie` until told otherwise; nil: honestly.
    func lie(_ reference: ConnectorReference, _ lie: Lie?) { state.withLock { $0.lies[reference] = lie } }

    // MARK: - Puts

    /// Keeps the next put waiting instead of answering it.
    func holdNextPut(_ reference: ConnectorReference) { state.withLock { _ = $0.holding.insert(reference) } }

    func heldPut(_ reference: ConnectorReference) -> RecordPut? { state.withLock { $0.held[reference]?.put } }

    /// Carries out the held put as the database would, or answers `lie` and does nothing.
    func releasePut(_ reference: ConnectorReference, saying lie: RecordPutAnswer.Outcome? = nil) {
        let result = state.withLock { state -> (Reply, RecordPutAnswer.Outcome)? in
            guard let held = state.held.removeValue(forKey: reference) else { return nil }
            return (held.reply, lie ?? Self.put(held.put, &state))
        }
        if let (reply, outcome) = result { reply(.success(RecordPutAnswer(outcome).encoded())) }
    }

    private static func put(_ put: RecordPut, _ state: inout State) -> RecordPutAnswer.Outcome {
        guard state.rows[put.reference]?.recordVersion ?? 0 == put.expectedVersion else { return .conflict }
        state.rows[put.reference] = put.record
        return .stored
    }

    // MARK: - Callbacks

    func received(_ call: IncomingCall, on session: Session, reply: @escaping Reply) {
        switch Method(rawValue: call.method) {
        case .recordGet:
            guard let reference = try? ConnectorReference(decoding: call.body) else { break }
            return reply(.success(get(reference)))
        case .recordPut:
            guard let put = try? RecordPut(decoding: call.body) else { break }
            let outcome = state.withLock { state -> RecordPutAnswer.Outcome? in
                if state.holding.remove(put.reference) != nil {
                    state.held[put.reference] = (put, reply)
                    return nil
                }
                return Self.put(put, &state)
            }
            if let outcome { reply(.success(RecordPutAnswer(outcome).encoded())) }
            return
        case .wrappedKeyGet:
            guard let reference = try? WrappedKeyReference(decoding: call.body) else { break }
            let key = state.withLock { $0.keys[Self.name(reference)] }
            return reply(.success(WrappedKeyGetAnswer(key: key).encoded()))
        case .wrappedKeyPut:
            guard let put = try? WrappedKeyPut(decoding: call.body) else { break }
            let inserted = state.withLock { state in
                guard state.keys[Self.name(put.reference)] == nil else { return false }
                state.keys[Self.name(put.reference)] = put.key
                return true
            }
            return reply(.success(WrappedKeyPutAnswer(inserted: inserted).encoded()))
        default: break
        }
        reply(.failure(EnclaveFailure(.unknownMethod)))
    }

    func ended(_ session: Session, reason: SessionEnd) {}

    private func get(_ reference: ConnectorReference) -> [UInt8] {
        state.withLock { state in
            state.reads[reference, default: 0] += 1
            switch state.lies[reference] {
            case .none: return RecordGetAnswer(record: state.rows[reference]).encoded()
            case .record(let record): return RecordGetAnswer(record: record).encoded()
            case .row(let other): return RecordGetAnswer(record: state.rows[other]).encoded()
            case .bytes(let bytes): return bytes
            }
        }
    }

    private static func name(_ reference: WrappedKeyReference) -> String {
        "\(reference.keyID)/\(reference.keyVersion)"
    }
}
