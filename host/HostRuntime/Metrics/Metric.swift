/// A label of a metric; none of them is a user, connector, device, request or event.
public enum MetricLabel: String, CaseIterable, Sendable {
    case route, method, status, bucket, backend, reason, outcome, type, result, queue, kind, role
    case resource, version, process, environment
    case capability, model, scope, source, part
    case operationName = "gen_ai_operation_name"
    case providerName = "gen_ai_provider_name"
    case requestModel = "gen_ai_request_model"
    case responseModel = "gen_ai_response_model"
    case tokenType = "gen_ai_token_type"
    case errorType = "error_type"
}

/// The metrics of the host; the one list of their names, kinds and labels.
public enum Metric: String, CaseIterable, Sendable {
    case httpRequests = "http_requests_total"
    case httpRequestSeconds = "http_request_seconds"
    case httpRateLimited = "http_rate_limited_total"
    case authFailures = "auth_failures_total"
    case jwksFetches = "jwks_fetch_total"
    case jobsFinished = "jobs_finished_total"
    case jobLagSeconds = "job_lag_seconds"
    case jobSeconds = "job_seconds"
    case scheduleDriftSeconds = "schedule_drift_seconds"
    case jobsPendingDue = "jobs_pending_due"
    case jobsRunning = "jobs_running"
    case deadLetters = "dead_letters"
    case schedulesOverdue = "schedules_overdue"
    case leaseLost = "lease_lost_total"
    case pushes = "push_total"
    case pushSeconds = "push_seconds"
    case reminderDelaySeconds = "reminder_delay_seconds"
    case pushSuppressed = "push_suppressed_total"
    case devicesDisabled = "devices_disabled_total"
    case apnsProviderTokens = "apns_provider_tokens_total"
    case pushTokenRejectionStorm = "push_token_rejection_storm"
    case pendingRevocations = "pending_revocations"
    case privacyDeleteOpen = "privacy_delete_open"
    case privacyDeleteOverdue = "privacy_delete_overdue"
    case privacyDeleteOldest = "privacy_delete_oldest_seconds"
    case enclaveCalls = "enclave_calls_total"
    case enclaveCallSeconds = "enclave_call_seconds"
    case enclaveSessions = "enclave_sessions"
    case enclaveHandshakes = "enclave_handshakes_total"
    case attestationRefused = "attestation_refused_total"
    case enclaveGoogleCalls = "enclave_google_calls_total"
    case enclaveRefreshes = "enclave_refresh_total"
    case enclaveSealedRejected = "enclave_sealed_rejected_total"
    case enclaveUserLimited = "enclave_user_limited_total"
    case enclaveVersionMemoryEvicted = "enclave_version_memory_evicted_total"
    case llmRequests = "llm_requests_total"
    case llmCost = "llm_cost_micro_usd_total"
    case llmDenied = "llm_denied_total"
    case llmCache = "llm_cache_total"
    case llmOutputSource = "llm_output_source_total"
    case llmBreakerState = "llm_breaker_state"
    case llmBudget = "llm_budget_micro_usd"
    case modelOperationSeconds = "gen_ai_client_operation_duration_seconds"
    case modelTokens = "gen_ai_client_token_usage"
    case redisDegraded = "redis_degraded"
    case poolInUse = "db_pool_in_use"
    case auditWriteFailed = "audit_write_failed_total"
    case auditFieldsDropped = "audit_fields_dropped_total"
    case logFieldsDropped = "log_fields_dropped_total"
    case buildInfo = "build_info"

    enum Kind: String {
        case counter, gauge, histogram
    }

    /// The name in the exposition.
    public var name: String { rawValue.hasPrefix("gen_ai_") ? rawValue : "alfred_\(rawValue)" }

    var kind: Kind {
        switch self {
        case .httpRequestSeconds, .jobLagSeconds, .jobSeconds, .scheduleDriftSeconds, .pushSeconds,
            .reminderDelaySeconds, .enclaveCallSeconds, .modelOperationSeconds, .modelTokens:
            .histogram
        case .llmBreakerState, .llmBudget, .jobsPendingDue, .jobsRunning, .deadLetters, .schedulesOverdue,
            .enclaveSessions, .redisDegraded,
            .poolInUse, .buildInfo, .pushTokenRejectionStorm, .pendingRevocations, .privacyDeleteOpen,
            .privacyDeleteOverdue,
            .privacyDeleteOldest:
            .gauge
        default:
            .counter
        }
    }

    var labels: [MetricLabel] {
        switch self {
        case .httpRequests, .httpRequestSeconds: [.route, .method, .status]
        case .httpRateLimited: [.bucket, .backend]
        case .authFailures, .attestationRefused: [.reason]
        case .pushSuppressed, .devicesDisabled, .apnsProviderTokens: [.reason]
        case .pushTokenRejectionStorm: [.environment]
        case .jwksFetches: [.outcome]
        case .jobsFinished: [.type, .result]
        case .jobLagSeconds, .jobSeconds, .scheduleDriftSeconds: [.type]
        case .jobsPendingDue, .jobsRunning, .deadLetters, .schedulesOverdue: [.type]
        case .leaseLost: [.queue]
        case .pushes, .pushSeconds, .reminderDelaySeconds: [.kind, .outcome]
        case .enclaveCalls, .enclaveCallSeconds: [.method, .result]
        case .enclaveSessions: [.role]
        case .enclaveHandshakes: [.result]
        case .enclaveGoogleCalls, .enclaveRefreshes, .enclaveSealedRejected, .enclaveUserLimited,
            .enclaveVersionMemoryEvicted:
            [.resource, .result]
        case .buildInfo: [.version, .process]
        case .llmRequests, .llmCost: [.capability, .model, .outcome]
        case .llmDenied: [.scope]
        case .llmCache: [.result]
        case .llmOutputSource: [.capability, .source]
        case .llmBreakerState: [.model]
        case .llmBudget: [.part]
        case .modelOperationSeconds: [.operationName, .providerName, .requestModel, .responseModel, .errorType]
        case .modelTokens: [.operationName, .providerName, .requestModel, .responseModel, .tokenType]
        case .pendingRevocations, .privacyDeleteOpen, .privacyDeleteOverdue, .privacyDeleteOldest: []
        case .redisDegraded, .poolInUse, .auditWriteFailed, .auditFieldsDropped, .logFieldsDropped: []
        }
    }

    /// Upper bounds of the buckets, in seconds or what else is counted.
    var buckets: [Double] {
        switch self {
        // Both as OpenTelemetry's conventions for generative AI want them.
        case .modelTokens:
            [
                1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
            ]
        case .modelOperationSeconds:
            [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
        case .jobLagSeconds, .scheduleDriftSeconds, .reminderDelaySeconds:
            [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900]
        default:
            [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
        }
    }
}
