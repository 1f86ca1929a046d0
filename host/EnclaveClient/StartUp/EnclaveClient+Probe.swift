internal import AttestationVerifier
internal import AttestedSession
internal import EnclaveProtocol
internal import Foundation
internal import HostRuntime
internal import Sodium

extension EnclaveClient {
    /// Seconds for which the probe's challenge is good.
    static let probeWindow: UInt64 = 15
    /// Wait between two tries of the probe.
    static let probePause = Duration.milliseconds(500)

    /// Proves before start-up that the enclave is there, is the right one, and seals.
    ///
    /// Tries `ENCLAVE_RUNTIME_PROBE_ATTEMPTS` times; mode `disabled` passes with a warning in the log.
    ///
    /// - Throws: the failure of the last try.
    public func probe() async throws(ProbeFailure) {
        guard configuration.mode != .disabled else { return report.disabled() }
        var attempt = 1
        while true {
            do throws(ProbeFailure) {
                let identity = try await probeOnce()
                pool.setIdentity(identity)
                return report.probed(identity: identity, attempt: attempt)
            } catch {
                report.probeFailed(error, attempt: attempt)
                guard attempt < configuration.probeAttempts, !Task.isCancelled else { throw error }
            }
            attempt += 1
            try? await Task.sleep(for: Self.probePause)
        }
    }

    private func probeOnce() async throws(ProbeFailure) -> String {
        let isStarting = try await probeHealth()
        try await probeDocument()
        let callbacks = CallbackServer(records: records, references: references)
        // The enclave may need wrapped keys for the first seal, so its callbacks are answered meanwhile.
        let result = await withTaskGroup(of: Result<String, ProbeFailure>?.self) { group in
            group.addTask {
                await callbacks.run()
                return nil
            }
            group.addTask { await self.probeSession(answering: callbacks, isStarting: isStarting) }
            defer { group.cancelAll() }
            while let finished = await group.next() { if let finished { return finished } }
            return .failure(ProbeFailure(.session, .cancelled))
        }
        return try result.get()
    }

    /// - Returns: whether the enclave waits for credentials that this host can hand over.
    private func probeHealth() async throws(ProbeFailure) -> Bool {
        let health: HealthAnswer
        do throws(SessionError) {
            health = try await sessions.health(within: configuration.probeTimeout)
        } catch {
            throw ProbeFailure(ConnectFailure(.health, error))
        }
        if health.status == .starting, credentials != nil { return true }
        guard health.status == .ok else { throw ProbeFailure(.health, .unreachable, detail: health.status.rawValue) }
        return false
    }

    private func probeDocument() async throws(ProbeFailure) {
        let answer: DocumentAnswer
        do throws(SessionError) {
            answer = try await sessions.document(within: configuration.probeTimeout)
        } catch {
            throw ProbeFailure(ConnectFailure(.document, error))
        }
        guard let document = try? IdentityDocument(decoding: answer.document), !isBlank(document.runtime),
            !isBlank(document.measurement)
        else { throw ProbeFailure(.document, .answerInvalid) }
    }

    private func probeSession(
        answering callbacks: CallbackServer, isStarting: Bool
    ) async -> Result<String, ProbeFailure> {
        do throws(ConnectFailure) {
            if isStarting, let failure = await handOverDuringProbe(callbacks) { return .failure(failure) }
            let enclave = try await sessions.verifiedEnclave(
                purpose: Challenge.startupProbePurpose, window: Self.probeWindow, within: configuration.probeTimeout)
            let link = SessionLink(callbacks: callbacks) { _, _ in }
            let opened = try await sessions.openSession(handler: link, within: configuration.probeTimeout)
            defer { opened.session.close(.closedLocally) }
            do throws(EnclaveCallError) {
                try await sealRoundTrip(on: opened.session)
            } catch {
                return .failure(ProbeFailure(.seal, error))
            }
            return .success(enclave.identity)
        } catch {
            report.refused(error.refusal)
            return .failure(ProbeFailure(error))
        }
    }

    private func handOverDuringProbe(_ callbacks: CallbackServer) async -> ProbeFailure? {
        do throws(ProbeFailure) {
            try await handOver(answering: callbacks)?.handOverIfStarting()
            return nil
        } catch {
            return error
        }
    }

    /// Seals 32 random bytes of a user that does not exist and opens them again.
    private func sealRoundTrip(on session: Session) async throws(EnclaveCallError) {
        let purpose: DataPurpose
        switch configuration.role {
        case .api: purpose = .apiAnswer
        case .worker: purpose = .pushPayload
        case .operation: return
        }
        let user = UserID(UUID())
        let record = UUID().lowercased
        let content = Random.bytes(32)
        func item(_ content: [UInt8]) -> DataItems {
            DataItems([DataItem(purpose: purpose, user: user, recordID: record, content: content)])
        }
        let sealed = try await single(session, .dataSeal, item(content))
        guard try await single(session, .dataOpen, item(sealed)) == content else { throw .answerInvalid }
    }

    private func single(
        _ session: Session, _ method: Method, _ request: DataItems
    ) async throws(EnclaveCallError) -> [UInt8] {
        let answer: DataResults = try await session.call(method, request, within: configuration.probeTimeout)
        switch answer.results.first {
        case .success(let bytes): return bytes
        case .failure(let code): throw .failed(EnclaveFailure(code))
        case nil: throw .answerInvalid
        }
    }
}

private func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }
