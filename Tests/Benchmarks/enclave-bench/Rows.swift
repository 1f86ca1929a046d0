import AttestedSession
import EnclaveProtocol
import Synchronization

/// The host's rows in memory, handed out and changed as the database would.
final class Rows: CallHandler {
    private struct State {
        var records: [ConnectorReference: SealedRecord] = [:]
        var keys: [String: WrappedKey] = [:]
    }

    private let state = Mutex(State())

    func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) {
        do {
            reply(.success(try answer(call)))
        } catch {
            reply(.failure(EnclaveFailure(.unknownMethod)))
        }
    }

    func ended(_ session: Session, reason: SessionEnd) {}

    private func answer(_ call: IncomingCall) throws -> [UInt8] {
        switch Method(rawValue: call.method) {
        case .recordGet:
            let reference = try ConnectorReference(decoding: call.body)
            return RecordGetAnswer(record: state.withLock { $0.records[reference] }).encoded()
        case .recordPut:
            let put = try RecordPut(decoding: call.body)
            let isStored = state.withLock { state in
                guard state.records[put.reference]?.recordVersion ?? 0 == put.expectedVersion else { return false }
                state.records[put.reference] = put.record
                return true
            }
            return RecordPutAnswer(isStored ? .stored : .conflict).encoded()
        case .wrappedKeyGet:
            let name = Self.name(try WrappedKeyReference(decoding: call.body))
            return WrappedKeyGetAnswer(key: state.withLock { $0.keys[name] }).encoded()
        case .wrappedKeyPut:
            let put = try WrappedKeyPut(decoding: call.body)
            let isInserted = state.withLock { state in
                guard state.keys[Self.name(put.reference)] == nil else { return false }
                state.keys[Self.name(put.reference)] = put.key
                return true
            }
            return WrappedKeyPutAnswer(inserted: isInserted).encoded()
        default: throw EnclaveErrorCode.unknownMethod
        }
    }

    private static func name(_ reference: WrappedKeyReference) -> String {
        "\(reference.keyID)/\(reference.keyVersion)"
    }
}
