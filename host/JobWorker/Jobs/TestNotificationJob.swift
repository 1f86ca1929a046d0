import FoundationEssentials
import HostStorage

/// TEST_NOTIFICATION: says what it was given to every device, at any hour.
struct TestNotificationJob: JobHandler {
    /// How long it may be delivered, in seconds.
    static let life = 600.0

    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let now: @Sendable () -> Date

    private struct Payload: Decodable {
        let title: String
        let body: String
    }

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        let devices = try await JobInputs.devices(of: job.lease.user, stores)
        guard !devices.isEmpty else { return .permanent(JobProblem(code: "NO_REGISTERED_DEVICE")) }
        guard let sealed = job.sealedPayload else { return .permanent(JobProblem(code: "JOB_PAYLOAD_UNREADABLE")) }
        let sealer = Sealer(enclave: enclave, user: job.lease.user, context: job.context())
        let payload: Payload = try await sealer.open(sealed, of: job.lease.job)
        let items = try await sealer.notifications(
            PushPayload(title: payload.title, body: payload.body, dueAt: job.dueAt), for: devices)
        let pushes = NewPushes(
            actionKey: job.idempotencyKey, kind: .test, expiresAt: now().addingTimeInterval(Self.life),
            ignoreQuietHours: true, items: items)
        return .done(JobEffect(outcome: "notified", pushes: pushes))
    }
}
