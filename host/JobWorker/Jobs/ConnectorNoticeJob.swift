import FoundationEssentials
import HostStorage

/// CONNECTOR_NOTICE: tells a user that a Google account must be connected again, or that it is another one now.
struct ConnectorNoticeJob: JobHandler {
    /// How long it may be delivered, in seconds: quiet hours hold it back.
    static let life = 86_400.0

    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let now: @Sendable () -> Date

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        guard let (notice, id) = ConnectorNotice.parse(job.idempotencyKey) else {
            return .permanent(JobProblem(code: "JOB_PAYLOAD_UNREADABLE"))
        }
        let devices = try await JobInputs.devices(of: job.lease.user, stores)
        guard !devices.isEmpty else { return .skipped("no_registered_device") }
        let connector = try await reading("CONNECTORS_READ_FAILED") { () throws(StorageError) in
            try await stores.connectors.find(id, of: job.lease.user)
        }
        let payload: PushPayload
        switch notice {
        case .reconnect:
            guard connector?.status != .active else { return .skipped("reconnected") }
            payload = PushPayload(
                title: "Reconnect Google",
                body: "Alfred cannot read your calendar and mail until you connect again.", dueAt: job.dueAt)
        case .accountChanged:
            payload = PushPayload(
                title: "Google account changed", body: "Alfred now reads another Google account.", dueAt: job.dueAt)
        }
        let sealer = Sealer(enclave: enclave, user: job.lease.user, context: job.context())
        let pushes = NewPushes(
            actionKey: job.idempotencyKey, kind: .connector, expiresAt: now().addingTimeInterval(Self.life),
            items: try await sealer.notifications(payload, for: devices))
        return .done(JobEffect(outcome: "notified", pushes: pushes))
    }
}
