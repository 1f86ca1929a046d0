public import FoundationEssentials

/// The right to record one sending of a notification.
public struct PushLease: Sendable, Hashable {
    /// The row's id; also the notification's id at the provider.
    public let id: UUID
    public let user: UUID
    public let token: Int64
}

/// A notification this worker sends now, with its device.
public struct ClaimedPush: Sendable {
    public let lease: PushLease
    public let kind: PushKind
    public let actionKey: String
    public let sealedPayload: [UInt8]
    public let payloadKeyVersion: Int
    public let ignoreQuietHours: Bool
    public let expiresAt: Date
    /// This sending included.
    public let attempt: Int
    public let device: UUID
    public let deviceIdentifier: String
    public let environment: DeviceEnvironment
    public let sealedToken: [UInt8]
    public let tokenKeyVersion: Int
    public let tokenRegisteredAt: Date
    public let isDeviceDisabled: Bool
    /// The job that made it, when that still exists.
    public let job: AuditJob?
    public let requestID: String?
}

/// How a sending ended.
public enum PushOutcome: Sendable {
    case delivered
    /// Delivered by the other environment, which becomes the device's.
    case deliveredElsewhere
    case simulated
    /// Inside quiet hours: never sent.
    case suppressed(quietHoursStart: String, quietHoursEnd: String)
    /// Over for good. With a reason the device is disabled, unless its token was registered after `registeredBefore`.
    case failed(code: String, disableDevice: String? = nil, registeredBefore: Date? = nil)
    /// Again after a pause; failed when it was the last of `maximumAttempts`.
    case again(code: String, after: Duration)
    /// Held back without counting as an attempt, until the user's wall clock says so.
    case held(until: Date)
    /// Held back without counting as an attempt, by the database's clock.
    case postponed(Duration, code: String? = nil)
}

public struct OutboxRepository: Sendable {
    public static let maximumAttempts = 8
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Claims due notifications; committed as SENDING before a byte is sent.
    public func claim(
        owner: String, limit: Int, lease: Duration = .seconds(30)
    ) async throws(StorageError) -> [ClaimedPush] {
        guard limit > 0 else { return [] }
        let parameters: [SQLValue] = [.text(owner), .int(limit), .double(lease.inSeconds)]
        return try await repeatingAfterDeletion { () throws(StorageError) in
            try await pool.query(Self.claimDue, parameters).map(Self.claimedPush)
        } ?? []
    }

    /// Records the outcome with its audit row; `false` when the lease was lost and nothing was written.
    public func record(_ outcome: PushOutcome, of push: ClaimedPush) async throws(StorageError) -> Bool {
        try await pool.withTransaction { tx throws(StorageError) in
            let change = Change(outcome, attempt: push.attempt)
            let parameters: [SQLValue] = [
                .uuid(push.lease.id), .int(push.lease.token), .text(change.state), .text(change.code),
                .double(change.pause?.inSeconds), .time(change.heldUntil), .int(change.attemptsUsed),
            ]
            guard try await tx.query(Self.setOutcome, parameters).affected == 1 else { return false }
            if case .failed(_, let reason?, let registeredBefore) = outcome {
                _ = try await DeviceRepository.disable(
                    push.device, of: push.lease.user, reason: reason, job: push.job,
                    registeredBefore: registeredBefore, in: tx)
            }
            if case .deliveredElsewhere = outcome {
                // A `Date` may lose the last of the database's microseconds.
                try await DeviceRepository.correct(
                    push.device, of: push.lease.user, to: push.environment.other,
                    registeredBefore: push.tokenRegisteredAt.addingTimeInterval(0.001), job: push.job, in: tx)
            }
            if let event = change.audit(push) { try await tx.audit(event, for: push.lease.user) }
            return true
        }
    }

    /// Ends PENDING notifications past their expiry, audited as failed; returns how many.
    public func expire(limit: Int = 100) async throws(StorageError) -> Int {
        try await repeatingAfterDeletion { () throws(StorageError) in
            try await pool.query(Self.expireOld, [.int(limit)]).required().int(0)
        } ?? 0
    }

    /// Takes back notifications whose sender is gone; they are sent again under the same id. Returns how many.
    public func reap(limit: Int = 100) async throws(StorageError) -> Int {
        try await repeatingAfterDeletion { () throws(StorageError) in
            try await pool.query(Self.reapExpired, [.int(limit), .int(Self.maximumAttempts)]).required().int(0)
        } ?? 0
    }

    /// Time until the earliest pending notification is due, zero when one is, `nil` when there is none.
    public func timeUntilNextDue() async throws(StorageError) -> Duration? {
        try await pool.query(Self.nextDue).required().optional(0, Row.double).map { .seconds(max(0, $0)) }
    }

    /// A user deleted in the middle fails the whole statement; the next try passes that user over.
    private func repeatingAfterDeletion<Value: Sendable>(
        _ body: () async throws(StorageError) -> Value
    ) async throws(StorageError) -> Value? {
        for _ in 0..<3 {
            do { return try await body() } catch {
                guard error == .userDeleted || error == .conflict else { throw error }
            }
        }
        return nil
    }

    private static func claimedPush(_ row: Row) throws(StorageError) -> ClaimedPush {
        guard let kind = PushKind(rawValue: try row.text(3)) else { throw .unreadableAnswer }
        let requestID = try row.optional(17, Row.text)
        let jobType = try row.optional(16, Row.text).flatMap(JobType.init)
        let jobID = try row.optional(15, Row.uuid)
        let job = jobID.flatMap { id in jobType.map { AuditJob(id: id, type: $0, requestID: requestID) } }
        return ClaimedPush(
            lease: PushLease(id: try row.uuid(0), user: try row.uuid(1), token: Int64(try row.int(2))), kind: kind,
            actionKey: try row.text(4), sealedPayload: try row.bytes(5), payloadKeyVersion: try row.int(6),
            ignoreQuietHours: try row.bool(7), expiresAt: try row.time(8), attempt: try row.int(9),
            device: try row.uuid(10), deviceIdentifier: try row.text(11),
            environment: try DeviceRepository.environment(row, 12), sealedToken: try row.bytes(13),
            tokenKeyVersion: try row.int(14), tokenRegisteredAt: try row.time(18),
            isDeviceDisabled: try row.bool(19), job: job, requestID: requestID)
    }
}

/// An outcome as columns and audit event.
private struct Change {
    let state: String
    let code: String?
    var pause: Duration?
    var heldUntil: Date?
    /// 1, or 0 when the sending did not count.
    var attemptsUsed = 1
    private let outcome: PushOutcome

    init(_ outcome: PushOutcome, attempt: Int) {
        self.outcome = outcome
        switch outcome {
        case .delivered, .deliveredElsewhere: (state, code) = ("DELIVERED", nil)
        case .simulated: (state, code) = ("SIMULATED", nil)
        case .suppressed: (state, code) = ("SUPPRESSED", nil)
        case .failed(let code, _, _): (state, self.code) = ("FAILED", code)
        case .again(let code, let after):
            self.code = code
            state = attempt >= OutboxRepository.maximumAttempts ? "FAILED" : "PENDING"
            pause = after
        case .held(let until):
            (state, code) = ("PENDING", nil)
            heldUntil = until
            attemptsUsed = 0
        case .postponed(let duration, let code):
            (state, self.code) = ("PENDING", code)
            pause = duration
            attemptsUsed = 0
        }
    }

    func audit(_ push: ClaimedPush) -> AuditEvent? {
        func attempt(_ outcome: AuditDelivery, _ environment: DeviceEnvironment? = nil) -> AuditEvent {
            .notificationDeliveryAttempt(
                job: push.job, deviceIdentifier: push.deviceIdentifier, environment: environment ?? push.environment,
                outcome: outcome, errorCode: code, attempt: push.attempt, kind: push.kind, notification: push.lease.id)
        }
        switch outcome {
        case .delivered: return attempt(.delivered)
        case .deliveredElsewhere: return attempt(.delivered, push.environment.other)
        case .simulated: return attempt(.simulated)
        case .suppressed(let start, let end):
            return .notificationSuppressed(
                job: push.job, reason: "quiet_hours", quietHoursStart: start, quietHoursEnd: end, kind: push.kind)
        case .failed, .again: return attempt(.failed)
        case .held, .postponed: return nil
        }
    }
}

extension NewPushes {
    func parameters(_ push: NewPush, _ lease: JobLease) -> [SQLValue] {
        [
            .uuid(push.id), .uuid(lease.user), .uuid(push.device), .uuid(lease.job), .text(actionKey),
            .text(kind.rawValue), .bytes(push.sealedPayload), .int(push.sealedKeyVersion), .bool(ignoreQuietHours),
            .time(expiresAt), .text(lease.requestID),
        ]
    }
}
