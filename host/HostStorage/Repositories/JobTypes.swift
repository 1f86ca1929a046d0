public import FoundationEssentials

public enum JobType: String, Sendable, CaseIterable {
    case meetingReminder = "MEETING_REMINDER"
    case morningBrief = "MORNING_BRIEF"
    case urgentEmailCheck = "URGENT_EMAIL_CHECK"
    case calendarScan = "CALENDAR_SCAN"
    case testNotification = "TEST_NOTIFICATION"
    case connectorNotice = "CONNECTOR_NOTICE"

    /// Prompt jobs have places of their own, so that they never wait behind long work.
    public var isPrompt: Bool {
        switch self {
        case .meetingReminder, .testNotification, .connectorNotice: true
        case .morningBrief, .urgentEmailCheck, .calendarScan: false
        }
    }
}

/// The right to finish one execution of a job; every write of that execution carries its token.
public struct JobLease: Sendable, Hashable {
    public let job: UUID
    public let user: UUID
    public let token: Int64
    public let type: JobType
    public let requestID: String?

    /// The job as audit events name it.
    public var audit: AuditJob { AuditJob(id: job, type: type, requestID: requestID) }
}

/// A job this worker runs now.
public struct ClaimedJob: Sendable {
    public let lease: JobLease
    /// When it was to run at first, whatever repeats there were.
    public let dueAt: Date
    public let expiresAt: Date?
    /// Past its expiry by the database's clock when claimed: finish it as skipped.
    public let isExpired: Bool
    /// From the time it was due at first to the claim.
    public let lag: Duration
    public let sealedPayload: [UInt8]?
    public let sealedKeyVersion: Int?
    public let attempts: Int
    public let deferrals: Int
    public let maxAttempts: Int
    /// Also the action key of its effect.
    public let idempotencyKey: String
    public let traceparent: String?
}

/// How much to claim.
public struct JobClaim: Sendable {
    /// Names this worker in the rows, for people.
    public var owner: String
    /// Free places.
    public var maximum: Int
    /// Free places that jobs other than prompt ones may take.
    public var maximumBackground: Int
    public var perUserLimit: Int
    public var lease: Duration

    public init(owner: String, maximum: Int, maximumBackground: Int, perUserLimit: Int, lease: Duration) {
        self.owner = owner
        self.maximum = maximum
        self.maximumBackground = maximumBackground
        self.perUserLimit = perUserLimit
        self.lease = lease
    }
}

/// Waits between tries: try n waits d = min(base · 2^(n−1), max), drawn uniformly from [d/2, d].
public struct RetryPolicy: Sendable {
    public var base: Duration
    public var maximum: Duration

    public init(base: Duration, maximum: Duration) {
        self.base = base
        self.maximum = maximum
    }
}

/// A fixed code and its fixed text; never a provider's words.
public struct JobProblem: Sendable {
    public let code: String
    public let message: String

    /// At most 200 characters of the message are stored.
    public init(code: String, message: String) {
        self.code = code
        self.message = String(message.unicodeScalars.prefix(200))
    }
}

public enum JobRetryOutcome: Sendable { case retried, deadLettered, leaseLost }

/// How much of one type there is, for gauges.
public struct JobBacklog: Sendable, Equatable {
    public let type: JobType
    public let pendingDue: Int
    public let running: Int
    public let deadLetters: Int
}

public struct JobReapResult: Sendable, Equatable {
    public let returned: Int
    public let deadLettered: Int
}

/// A job to insert; nothing happens when its (user, type, key) exists.
public struct NewJob: Sendable {
    /// Chosen by the caller, because a payload is sealed under it.
    public var id: UUID
    public var user: UUID
    public var type: JobType
    public var idempotencyKey: String
    /// `nil` and anything past mean now.
    public var dueAt: Date?
    public var expiresAt: Date?
    public var sealedPayload: [UInt8]?
    public var sealedKeyVersion: Int?
    public var requestID: String?
    public var traceparent: String?

    public init(
        id: UUID, user: UUID, type: JobType, idempotencyKey: String, dueAt: Date? = nil, expiresAt: Date? = nil,
        sealedPayload: [UInt8]? = nil, sealedKeyVersion: Int? = nil, requestID: String? = nil,
        traceparent: String? = nil
    ) {
        self.id = id
        self.user = user
        self.type = type
        self.idempotencyKey = idempotencyKey
        self.dueAt = dueAt
        self.expiresAt = expiresAt
        self.sealedPayload = sealedPayload
        self.sealedKeyVersion = sealedKeyVersion
        self.requestID = requestID
        self.traceparent = traceparent
    }
}

public enum PushKind: String, Sendable {
    case meetingReminder = "meeting_reminder"
    case morningBrief = "morning_brief"
    case urgentEmail = "urgent_email"
    case connector
    case test
}

/// A notification for one device, sealed under its own id.
public struct NewPush: Sendable {
    public var id: UUID
    public var device: UUID
    public var sealedPayload: [UInt8]
    public var sealedKeyVersion: Int

    public init(id: UUID, device: UUID, sealedPayload: [UInt8], sealedKeyVersion: Int) {
        self.id = id
        self.device = device
        self.sealedPayload = sealedPayload
        self.sealedKeyVersion = sealedKeyVersion
    }
}

/// The notifications of one action, one per device.
public struct NewPushes: Sendable {
    /// Unique per user and device: the action happens at most once.
    public var actionKey: String
    public var kind: PushKind
    public var expiresAt: Date
    public var ignoreQuietHours: Bool
    public var items: [NewPush]

    public init(actionKey: String, kind: PushKind, expiresAt: Date, ignoreQuietHours: Bool = false, items: [NewPush]) {
        self.actionKey = actionKey
        self.kind = kind
        self.expiresAt = expiresAt
        self.ignoreQuietHours = ignoreQuietHours
        self.items = items
    }
}

/// What a complete listing of a calendar window says about its reminders.
public struct ReminderSweep: Sendable {
    /// Starts from here (inclusive) …
    public var from: Date
    /// … to here (exclusive).
    public var to: Date
    /// Keys of the reminders that stay; other PENDING ones in the window go.
    public var keep: [String]

    public init(from: Date, to: Date, keep: [String]) {
        self.from = from
        self.to = to
        self.keep = keep
    }
}

/// A PENDING reminder, for a scan that wants to seal only what is new.
public struct PendingReminder: Sendable, Equatable {
    public let job: UUID
    public let key: String
    public let dueAt: Date
    public let startsAt: Date
}

/// A job's one effect, committed as a whole with the job's end.
public struct JobEffect: Sendable {
    /// `notified`, `no_notification` or `skipped:<reason>`.
    public var outcome: String
    public var pushes: NewPushes?
    /// MEETING_REMINDER jobs to insert or, while PENDING, to move; `expiresAt` is the meeting's start.
    public var reminders: [NewJob]
    public var sweep: ReminderSweep?
    /// Digests of mail that need not be judged again.
    public var seen: [[UInt8]]
    /// Jobs that come out of this one; nothing happens to those whose key exists.
    public var followUps: [NewJob]
    public var audits: [AuditEvent]

    /// Nothing to commit but the job's end.
    public var isEmpty: Bool {
        pushes == nil && reminders.isEmpty && sweep == nil && seen.isEmpty && followUps.isEmpty && audits.isEmpty
    }

    public init(
        outcome: String, pushes: NewPushes? = nil, reminders: [NewJob] = [], sweep: ReminderSweep? = nil,
        seen: [[UInt8]] = [], followUps: [NewJob] = [], audits: [AuditEvent] = []
    ) {
        self.outcome = outcome
        self.pushes = pushes
        self.reminders = reminders
        self.sweep = sweep
        self.seen = seen
        self.followUps = followUps
        self.audits = audits
    }
}
