internal import AttestationVerifier
internal import AttestedSession
internal import EnclaveProtocol
internal import HostRuntime

/// What the client tells logs and metrics; closed lists of labels, no ids.
struct ClientReport: Sendable {
    let metrics: MetricsRegistry
    let log: HostLog
    let role: Role

    func called(_ method: Method, _ error: EnclaveCallError?, took duration: Duration) {
        let labels: MetricsRegistry.Labels = [.method: method.name, .result: error?.name ?? "ok"]
        metrics.increment(.enclaveCalls, labels)
        metrics.observe(.enclaveCallSeconds, labels, duration)
    }

    func sessionCount(_ count: Int) {
        metrics.set(.enclaveSessions, [.role: role.rawValue], to: Double(count))
    }

    func sessionOpened(_ enclave: VerifiedEnclave) {
        metrics.increment(.enclaveHandshakes, [.result: "ok"])
        log.event("enclave_session_opened", .info, [LogField(.measurement, enclave.identity)])
    }

    func sessionEnded(_ end: SessionEnd) {
        let isNormal = end == .closedLocally || end == .expired
        log.event("enclave_session_ended", isNormal ? .info : .warn, [LogField(.reason, "\(end)")])
    }

    func connectFailed(_ failure: ConnectFailure) {
        metrics.increment(.enclaveHandshakes, [.result: failure.error.name])
        refused(failure.refusal)
        log.event(
            "enclave_connect_failed", .warn,
            [LogField(.step, failure.step.rawValue), LogField(.reason, Self.reason(failure.error, failure.detail))])
    }

    /// The error's name with its detail, where that is short enough for a log line.
    private static func reason(_ error: EnclaveCallError, _ detail: String?) -> String {
        guard let detail, detail.utf8.count <= 200 else { return error.name }
        return "\(error.name) (\(detail))"
    }

    func refused(_ refusal: AttestationRefusal?) {
        guard let refusal else { return }
        metrics.increment(.attestationRefused, [.reason: refusal.reason.rawValue])
        log.event("attestation_refused", .error, [LogField(.reason, refusal.reason.rawValue)])
    }

    func probeFailed(_ failure: ProbeFailure, attempt: Int) {
        log.event(
            "enclave_probe_failed", .warn,
            [
                LogField(.step, failure.step.rawValue), LogField(.reason, Self.reason(failure.error, failure.detail)),
                LogField(.attempt, attempt),
            ])
    }

    func probed(identity: String, attempt: Int) {
        log.event("enclave_probe_passed", .info, [LogField(.measurement, identity), LogField(.attempt, attempt)])
    }

    func handedOver(_ outcome: KMSCredentialsAnswer.Outcome) {
        log.event("kms_credentials_handed", outcome == .refused ? .warn : .info, [LogField(.outcome, "\(outcome)")])
    }

    func handOverFailed(_ failure: ProbeFailure) {
        log.event(
            "enclave_connect_failed", .warn,
            [LogField(.step, failure.step.rawValue), LogField(.reason, Self.reason(failure.error, failure.detail))])
    }

    func credentialsMissing(_ reason: String) {
        log.event("kms_credentials_missing", .warn, [LogField(.reason, reason)])
    }

    func disabled() { log.event("enclave_disabled", .warn, [LogField(.mode, "disabled")]) }
}
