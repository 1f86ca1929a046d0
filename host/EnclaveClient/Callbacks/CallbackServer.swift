internal import AttestedSession
internal import EnclaveProtocol

/// Answers the enclave's callbacks in a bounded number of tasks; none of them ever calls the enclave.
final class CallbackServer: Sendable {
    typealias Reply = @Sendable (Result<[UInt8], EnclaveFailure>) -> Void

    private struct Job: Sendable {
        let call: IncomingCall
        let reply: Reply
    }

    /// Callbacks that are answered at the same time; the storage behind them has two connections.
    static let maximumTasks = 32
    /// Callbacks that wait for a task; beyond, they are answered `overloaded`.
    static let maximumWaiting = 2048

    private let records: any RecordStore
    private let references: OpenReferences
    private let jobs: AsyncStream<Job>
    private let queue: AsyncStream<Job>.Continuation

    init(records: any RecordStore, references: OpenReferences) {
        self.records = records
        self.references = references
        (jobs, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maximumWaiting))
    }

    /// Takes a callback; does not block.
    func submit(_ call: IncomingCall, reply: @escaping Reply) {
        switch queue.yield(Job(call: call, reply: reply)) {
        case .enqueued: break
        default: reply(.failure(EnclaveFailure(.overloaded)))
        }
    }

    /// Answers callbacks until the task is cancelled; to be called once.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await job in jobs {
                if running >= Self.maximumTasks {
                    await group.next()
                    running -= 1
                }
                running += 1
                group.addTask { await self.answer(job) }
            }
        }
    }

    private func answer(_ job: Job) async {
        guard !job.call.cancellation.isCancelled, job.call.deadline > .now else {
            return job.reply(.failure(EnclaveFailure(.timedOut)))
        }
        do throws(EnclaveFailure) {
            job.reply(.success(try await answer(to: job.call)))
        } catch {
            job.reply(.failure(error))
        }
    }

    private func answer(to call: IncomingCall) async throws(EnclaveFailure) -> [UInt8] {
        switch Method(rawValue: call.method) {
        case .recordGet:
            let reference: ConnectorReference = try decoded(call.body)
            guard references.contains(reference) else { throw EnclaveFailure(.recordPortFailed) }
            var record = try await records.record(of: reference)
            if record == nil, references.reachesPending(reference) {
                record = try await records.pendingRecord(of: reference)
            }
            return RecordGetAnswer(record: record).encoded()
        case .recordPut:
            let put: RecordPut = try decoded(call.body)
            var outcome = try await records.put(put)
            if outcome == .conflict, references.reachesPending(put.reference) {
                outcome = try await records.putPending(put)
            }
            return RecordPutAnswer(outcome).encoded()
        case .wrappedKeyGet:
            return WrappedKeyGetAnswer(key: try await records.wrappedKey(try decoded(call.body))).encoded()
        case .wrappedKeyPut:
            let inserted = try await records.insertWrappedKey(try decoded(call.body))
            return WrappedKeyPutAnswer(inserted: inserted).encoded()
        default: throw EnclaveFailure(.unknownMethod)
        }
    }

    private func decoded<Request: WireMessage>(_ body: [UInt8]) throws(EnclaveFailure) -> Request {
        do throws(CBORError) {
            return try Request(decoding: body)
        } catch {
            throw EnclaveFailure(.malformedRequest)
        }
    }
}
