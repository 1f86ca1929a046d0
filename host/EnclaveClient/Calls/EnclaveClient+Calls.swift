internal import AttestedSession
internal import EnclaveProtocol
internal import HostRuntime

extension EnclaveClient {
    /// Makes one call over a session and decodes its answer; the enclave may read the record of `reference` for it.
    func call<Answer: WireMessage>(
        _ method: Method, _ request: some WireMessage, on reference: ConnectorReference? = nil, _ context: CallContext
    ) async throws(EnclaveCallError) -> Answer {
        // Records of erased users are for nothing but their revocation, by the worker, and their re-sealing.
        let reachesPending =
            method == .connectorRewrap || method == .googleRevoke && configuration.role == .worker
        if let reference { references.begin(reference, reachesPending: reachesPending) }
        defer { if let reference { references.end(reference, reachesPending: reachesPending) } }
        let start = ContinuousClock.now
        do throws(EnclaveCallError) {
            let body = try await bytes(method, request.encoded(), context)
            let answer: Answer = try decoded(body)
            report.called(method, nil, took: start.duration(to: .now))
            return answer
        } catch {
            report.called(method, error, took: start.duration(to: .now))
            throw error
        }
    }

    private func bytes(
        _ method: Method, _ body: [UInt8], _ context: CallContext
    ) async throws(EnclaveCallError) -> [UInt8] {
        guard configuration.mode != .disabled else { throw .notConfigured }
        guard RequestID(context.requestID)?.text == context.requestID else {
            throw .failed(EnclaveFailure(.malformedRequest))
        }
        let limit = min(context.deadline ?? configuration.callTimeout, configuration.callTimeout)
        let deadline = MonotonicInstant.now.advanced(byMilliseconds: max(0, limit.wholeMilliseconds))
        if !pool.isRunning { try await waitUntilRunning(before: deadline) }
        let pending = PendingCall(
            OutgoingCall(
                method: method, body: body, deadline: deadline, requestID: context.requestID,
                traceparent: context.traceparent.flatMap { $0.utf8.count == 55 ? $0 : nil }))
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if pending.attach(continuation) { pool.submit(pending) }
            }
        } onCancel: {
            pending.cancel()
        }.get()
    }

    /// A process may make its first call before `run()` has its turn.
    private func waitUntilRunning(before deadline: MonotonicInstant) async throws(EnclaveCallError) {
        while !pool.isRunning {
            guard !pool.isClosed, MonotonicInstant.now < deadline else { throw .unreachable }
            do { try await Task.sleep(for: .milliseconds(10)) } catch { throw .cancelled }
        }
    }

    private func decoded<Answer: WireMessage>(_ body: [UInt8]) throws(EnclaveCallError) -> Answer {
        do throws(CBORError) {
            return try Answer(decoding: body)
        } catch {
            throw .answerInvalid
        }
    }
}
