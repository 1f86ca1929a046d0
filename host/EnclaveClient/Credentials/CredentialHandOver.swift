internal import AttestationVerifier
internal import AttestedSession
internal import EnclaveProtocol
internal import Foundation
internal import HostRuntime

/// Brings an enclave that is `starting` to `ok`: verified evidence first, then a session that carries the credentials
/// and nothing else. One at a time; who comes second finds the work done.
actor CredentialHandOver {
    /// Wait between two questions for the enclave's state.
    static let pollInterval = Duration.milliseconds(50)
    /// Least time for `kms.credentials`: an enclave that has all of its secrets opened asks KMS once for each.
    static let leastLimit = Duration.seconds(10)

    private let source: any CredentialSource
    private let connector: EnclaveConnector
    private let callbacks: CallbackServer
    private let limit: Duration
    private let report: ClientReport
    private var running: Task<Result<Void, ProbeFailure>, Never>?

    /// `limit` bounds each request and the wait for `ok`.
    init(
        source: any CredentialSource, connector: EnclaveConnector, callbacks: CallbackServer, limit: Duration,
        report: ClientReport
    ) {
        self.source = source
        self.connector = connector
        self.callbacks = callbacks
        self.limit = limit
        self.report = report
    }

    /// Hands over if the enclave is `starting`, and waits until it is `ok`.
    func handOverIfStarting() async throws(ProbeFailure) {
        if let running { return try await running.value.get() }
        let task = Task { await self.attempt() }
        running = task
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        running = nil
        try result.get()
    }

    private func attempt() async -> Result<Void, ProbeFailure> {
        do throws(ProbeFailure) {
            guard try await status() == .starting else { return .success(()) }
            try await handOver()
            try await waitUntilReady()
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private func status() async throws(ProbeFailure) -> HealthAnswer.Status {
        do throws(SessionError) {
            return try await connector.health(within: limit).status
        } catch {
            throw ProbeFailure(ConnectFailure(.health, error))
        }
    }

    private func handOver() async throws(ProbeFailure) {
        let opened: OpenedSession
        do throws(ConnectFailure) {
            // The enclave's evidence is verified before anything is handed to it.
            let link = SessionLink(callbacks: callbacks) { _, _ in }
            opened = try await connector.openSession(handler: link, whileStarting: true, within: limit)
        } catch {
            report.refused(error.refusal)
            throw ProbeFailure(error)
        }
        defer { opened.session.close(.closedLocally) }
        let credentials: KMSCredentials
        do throws(CredentialSourceError) {
            credentials = try await source.credentials()
        } catch {
            throw ProbeFailure(.credentials, .failed(EnclaveFailure(.keyStoreFailed)), detail: error.rawValue)
        }
        let answer: KMSCredentialsAnswer
        do throws(EnclaveCallError) {
            answer = try await opened.session.call(
                .kmsCredentials, credentials, within: max(limit, Self.leastLimit))
        } catch {
            // The enclave may be slow at KMS: whether it took them shows in its state.
            if error == .timedOut { return }
            throw ProbeFailure(.credentials, error)
        }
        report.handedOver(answer.outcome)
        if answer.outcome == .refused {
            throw ProbeFailure(.credentials, .failed(EnclaveFailure(.keyStoreFailed)), detail: "refused by KMS")
        }
    }

    private func waitUntilReady() async throws(ProbeFailure) {
        let end = ContinuousClock.now + limit
        while true {
            let status = try await status()
            if status == .ok { return }
            guard status == .starting, ContinuousClock.now < end, !Task.isCancelled else {
                throw ProbeFailure(.credentials, .unreachable, detail: status.rawValue)
            }
            try? await Task.sleep(for: Self.pollInterval)
        }
    }
}

extension Session {
    /// One call on this very session.
    func call<Answer: WireMessage>(
        _ method: Method, _ request: some WireMessage, within limit: Duration
    ) async throws(EnclaveCallError) -> Answer {
        let call = OutgoingCall(
            method: method, body: request.encoded(),
            deadline: .now.advanced(byMilliseconds: limit.wholeMilliseconds),
            requestID: "probe-\(UUID().lowercased)")
        let result = await withCheckedContinuation { continuation in
            _ = start(call) { continuation.resume(returning: $0) }
        }
        let body: [UInt8]
        do throws(CallFailure) {
            body = try result.get()
        } catch {
            throw EnclaveCallError(error)
        }
        guard let answer = try? Answer(decoding: body) else { throw .answerInvalid }
        return answer
    }
}
