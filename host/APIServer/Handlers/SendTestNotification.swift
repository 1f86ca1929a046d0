import EnclaveProtocol
import FoundationEssentials
import HostRuntime
import HostStorage

/// POST `/v1/devices/apns/test`: queues a notification to all of the user's devices, its text sealed.
struct SendTestNotification: Sendable {
    static let maximumTitle = 120
    static let maximumBody = 500
    private static let standardTitle = "Alfred test notification"
    private static let standardBody = "Push delivery is working."

    let devices: DeviceRepository
    let tests: TestNotificationRepository
    let enclave: any EnclavePort

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let title = try call.body.optionalText("title")?.trimmedOfWhiteSpace ?? ""
        let body = try call.body.optionalText("body")?.trimmedOfWhiteSpace ?? ""
        guard title.unicodeScalars.count <= Self.maximumTitle else { throw APIError(.invalidTitle) }
        guard body.unicodeScalars.count <= Self.maximumBody else { throw APIError(.invalidBody) }

        // A request whose answer was lost before it was stored finds the job it made.
        let key = call.idempotencyKey?.jobKey(ofRequest: call.body.canonical) ?? UUID().lowercased
        let earlier = try await stored(call) { () throws(StorageError) in
            try await tests.find(key: key, of: user.uuid)
        }
        if let earlier { return Self.queued(earlier) }
        let enabled = try await stored(call) { () throws(StorageError) in
            try await devices.enabledDevices(of: user.uuid)
        }
        guard !enabled.isEmpty else { throw APIError(.noRegisteredDevice) }

        let job = UUID()
        let payload = JSONValue.object([
            "title": .string(title.isEmpty ? Self.standardTitle : title),
            "body": .string(body.isEmpty ? Self.standardBody : body),
        ])
        let sealed = try await enclave.sealOne(
            DataItem(purpose: .jobPayload, user: user, recordID: job.lowercased, content: payload.encoded()), call)
        let notification = NewTestNotification(
            job: job, user: user.uuid, key: key, sealedPayload: sealed.bytes, sealedKeyVersion: sealed.keyVersion,
            requestID: call.requestID.text, traceparent: call.trace.child().traceparent)
        let queued = try await stored(call) { () throws(StorageError) in try await tests.enqueue(notification) }
        return Self.queued(queued)
    }

    private static func queued(_ job: UUID) -> APIAnswer {
        .json(.object(["queued_job_id": .string(job.lowercased), "status": .string("QUEUED")]))
    }
}
