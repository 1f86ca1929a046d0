public import FoundationEssentials

/// The job an audit event of the worker belongs to.
public struct AuditJob: Sendable {
    public let id: UUID
    public let type: JobType
    public let requestID: String?

    public init(id: UUID, type: JobType, requestID: String?) {
        self.id = id
        self.type = type
        self.requestID = requestID
    }
}

/// What one run of a job read and decided, as far as an audit event tells it.
public struct AuditAction: Sendable {
    public var source: String
    public var attestedMeasurement: String?
    public var leadMinutes: Int?
    public var eventsFound: Int?
    public var selectedEventID: String?
    public var calendarRecheck: String?
    public var localDate: String?

    public init(
        source: String, attestedMeasurement: String? = nil, leadMinutes: Int? = nil, eventsFound: Int? = nil,
        selectedEventID: String? = nil, calendarRecheck: String? = nil, localDate: String? = nil
    ) {
        self.source = source
        self.attestedMeasurement = attestedMeasurement
        self.leadMinutes = leadMinutes
        self.eventsFound = eventsFound
        self.selectedEventID = selectedEventID
        self.calendarRecheck = calendarRecheck
        self.localDate = localDate
    }
}

/// How an attempt to deliver a notification ended.
public enum AuditDelivery: String, Sendable { case delivered, simulated, failed }

/// Everything that is audited, with exactly the fields that may be stored. There is no free text.
public enum AuditEvent: Sendable {
    case deviceRegistered(deviceIdentifier: String, environment: DeviceEnvironment)
    case deviceDisabled(deviceIdentifier: String, environment: DeviceEnvironment, reason: String, job: AuditJob?)
    case deviceEnvironmentCorrected(deviceIdentifier: String, environment: DeviceEnvironment, job: AuditJob?)
    case testNotificationQueued(job: UUID)
    case googleConnectStarted(redirectURI: String)
    case googleConnectCompleted(
        connector: UUID, calendarGranted: Bool, gmailGranted: Bool, accountChanged: Bool, attestedMeasurement: String)
    case connectorRevoked(connector: UUID, attestedMeasurement: String)
    case connectorReconnectRequired(connector: UUID, reason: String)
    case preferencesUpdated(meetingReminderMinutes: Int, timeZone: String)
    case privacyDeleteAllRequested(request: UUID)
    case privacyDeleteAllCompleted(
        request: UUID, at: Date, revoked: Int, unrevoked: Int, unrevokedReason: String?, slaHours: Int)
    case privacyDeleteAllFailed(request: UUID, status: PrivacyRequestStatus, at: Date, reason: String)
    case assistantQuery(AuditAssistantQuery)
    case jobActionGenerated(job: AuditJob, action: AuditAction)
    case jobActionSkipped(job: AuditJob?, action: AuditAction, outcome: String, reason: String)
    case notificationSuppressed(
        job: AuditJob?, reason: String, quietHoursStart: String, quietHoursEnd: String, kind: PushKind)
    case notificationDeliveryAttempt(
        job: AuditJob?, deviceIdentifier: String, environment: DeviceEnvironment, outcome: AuditDelivery,
        errorCode: String?, attempt: Int, kind: PushKind, notification: UUID)
    case workerMorningBriefOutput(job: AuditJob, brief: AuditBrief, author: AuditAuthor)
    case workerUrgentEmailOutput(job: AuditJob, check: AuditMailCheck, author: AuditAuthor)
    case jobRedriven(job: AuditJob)
    case jobDeadLettered(job: AuditJob, reason: String, attempts: Int)
}

extension AuditEvent {
    /// The name that is stored and answered.
    public var type: String {
        switch self {
        case .deviceRegistered: "DEVICE_REGISTERED"
        case .deviceDisabled: "DEVICE_DISABLED"
        case .deviceEnvironmentCorrected: "DEVICE_ENVIRONMENT_CORRECTED"
        case .testNotificationQueued: "TEST_NOTIFICATION_QUEUED"
        case .googleConnectStarted: "GOOGLE_CONNECT_STARTED"
        case .googleConnectCompleted: "GOOGLE_CONNECT_COMPLETED"
        case .connectorRevoked: "CONNECTOR_REVOKED"
        case .connectorReconnectRequired: "CONNECTOR_RECONNECT_REQUIRED"
        case .preferencesUpdated: "PREFERENCES_UPDATED"
        case .privacyDeleteAllRequested: "PRIVACY_DELETE_ALL_REQUESTED"
        case .privacyDeleteAllCompleted: "PRIVACY_DELETE_ALL_COMPLETED"
        case .privacyDeleteAllFailed: "PRIVACY_DELETE_ALL_FAILED"
        case .assistantQuery: "AI_ASSISTANT_QUERY"
        case .jobActionGenerated: "JOB_ACTION_GENERATED"
        case .jobActionSkipped: "JOB_ACTION_SKIPPED"
        case .notificationSuppressed: "NOTIFICATION_SUPPRESSED"
        case .notificationDeliveryAttempt: "NOTIFICATION_DELIVERY_ATTEMPT"
        case .workerMorningBriefOutput: "AI_WORKER_MORNING_BRIEF_OUTPUT"
        case .workerUrgentEmailOutput: "AI_WORKER_URGENT_EMAIL_OUTPUT"
        case .jobRedriven: "JOB_REDRIVEN"
        case .jobDeadLettered: "JOB_DEAD_LETTERED"
        }
    }

    /// `google` where a Google account is involved.
    var connector: String? {
        switch self {
        case .googleConnectStarted, .googleConnectCompleted, .connectorRevoked, .connectorReconnectRequired,
            .jobActionGenerated, .jobActionSkipped, .assistantQuery, .workerMorningBriefOutput,
            .workerUrgentEmailOutput:
            "google"
        default: nil
        }
    }

    var isFailure: Bool {
        switch self {
        case .connectorReconnectRequired, .jobDeadLettered, .privacyDeleteAllFailed: true
        case .workerMorningBriefOutput(_, _, let author), .workerUrgentEmailOutput(_, _, let author): author.isFallback
        case .notificationDeliveryAttempt(_, _, _, let outcome, _, _, _, _): outcome == .failed
        case .assistantQuery(let query): query.usedFallback || !query.isPersisted
        default: false
        }
    }

    var fields: [(String, AuditValue)] {
        switch self {
        case .deviceRegistered(let device, let environment):
            [("device_id", .ref(device)), ("environment", .code(environment.rawValue))]
        case .deviceDisabled(let device, let environment, let reason, let job):
            job.fields + [
                ("device_id", .ref(device)), ("environment", .code(environment.rawValue)), ("reason", .code(reason)),
            ]
        case .deviceEnvironmentCorrected(let device, let environment, let job):
            job.fields + [("device_id", .ref(device)), ("environment", .code(environment.rawValue))]
        case .testNotificationQueued(let job):
            [("job_id", .id(job)), ("job_type", .code(JobType.testNotification.rawValue))]
        case .googleConnectStarted(let uri): [("redirect_uri", .uri(uri))]
        case .googleConnectCompleted(let connector, let calendar, let gmail, let changed, let measurement):
            [
                ("connector_id", .id(connector)), ("calendar_granted", .bool(calendar)),
                ("gmail_granted", .bool(gmail)),
                ("account_changed", .bool(changed)), ("attested_measurement", .measurement(measurement)),
            ]
        case .connectorRevoked(let connector, let measurement):
            [("connector_id", .id(connector)), ("attested_measurement", .measurement(measurement))]
        case .connectorReconnectRequired(let connector, let reason):
            [("connector_id", .id(connector)), ("reason", .code(reason))]
        case .preferencesUpdated(let minutes, let timeZone):
            [("meeting_reminder_minutes", .int(minutes)), ("time_zone", .timeZone(timeZone))]
        case .privacyDeleteAllRequested(let request): [("request_id", .id(request))]
        case .privacyDeleteAllCompleted(let request, let date, let revoked, let unrevoked, let reason, let hours):
            [
                ("request_id", .id(request)), ("status", .code(PrivacyRequestStatus.completed.rawValue)),
                ("completed_at", .time(date)), ("revoked_connectors", .int(revoked)),
                ("unrevoked_connectors", .int(unrevoked)), ("sla_hours", .int(hours)),
            ] + (reason.map { [("unrevoked_reason", .code($0))] } ?? [])
        case .privacyDeleteAllFailed(let request, let status, let date, let reason):
            [
                ("request_id", .id(request)), ("status", .code(status.rawValue)), ("failed_at", .time(date)),
                ("reason", .code(reason)),
            ]
        case .assistantQuery(let query): query.fields
        case .jobActionGenerated(let job, let action): job.fields + action.fields
        case .jobActionSkipped(let job, let action, let outcome, let reason):
            job.fields + action.fields + [("outcome", .code(outcome)), ("reason", .code(reason))]
        case .notificationSuppressed(let job, let reason, let start, let end, let kind):
            job.fields + [
                ("reason", .code(reason)), ("quiet_hours_start", .localTime(start)),
                ("quiet_hours_end", .localTime(end)), ("kind", .code(kind.rawValue)),
            ]
        case .notificationDeliveryAttempt(
            let job, let device, let environment, let outcome, let code, let attempt, let kind, let notification):
            job.fields + [
                ("device_id", .ref(device)), ("environment", .code(environment.rawValue)),
                ("outcome", .code(outcome.rawValue)), ("attempt", .int(attempt)), ("kind", .code(kind.rawValue)),
                ("notification_id", .id(notification)),
            ] + (code.map { [("error_code", .code($0))] } ?? [])
        case .workerMorningBriefOutput(let job, let brief, let author): job.fields + brief.fields + author.fields
        case .workerUrgentEmailOutput(let job, let check, let author): job.fields + check.fields + author.fields
        case .jobRedriven(let job): job.fields
        case .jobDeadLettered(let job, let reason, let attempts):
            job.fields + [("reason", .code(reason)), ("attempts", .int(attempts))]
        }
    }

    /// The stored object; every value has been checked against its kind, so nothing needs escaping.
    var metadata: String {
        "{" + fields.map { "\"\($0.0)\":\"\($0.1.stored)\"" }.joined(separator: ",") + "}"
    }
}

extension Optional<AuditJob> {
    fileprivate var fields: [(String, AuditValue)] { self?.fields ?? [] }
}

extension AuditJob {
    var fields: [(String, AuditValue)] {
        [("job_id", .id(id)), ("job_type", .code(type.rawValue))] + (requestID.map { [("request_id", .ref($0))] } ?? [])
    }
}

extension AuditAction {
    fileprivate var fields: [(String, AuditValue)] {
        var fields: [(String, AuditValue)] = [("action_source", .code(source))]
        if let attestedMeasurement { fields.append(("attested_measurement", .measurement(attestedMeasurement))) }
        if let leadMinutes { fields.append(("lead_minutes", .int(leadMinutes))) }
        if let eventsFound { fields.append(("events_found", .int(eventsFound))) }
        if let selectedEventID { fields.append(("selected_event_id", .ref(selectedEventID))) }
        if let calendarRecheck { fields.append(("calendar_recheck", .code(calendarRecheck))) }
        if let localDate { fields.append(("local_date", .date(localDate))) }
        return fields
    }
}
