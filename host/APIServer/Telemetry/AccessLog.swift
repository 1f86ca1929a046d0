import HostRuntime

/// One answered request, as it may be told.
struct AccessRecord: Sendable {
    /// Route of requests that matched none.
    static let unmatched = "<unmatched>"

    let method: String
    /// A template, never a path.
    let route: String
    let status: Int
    let latency: Duration

    var outcome: String {
        switch status {
        case ..<400: "success"
        case ..<500: "client_error"
        default: "server_error"
        }
    }
}

/// Writes `http_request_completed` and counts requests.
struct AccessLog: Sendable {
    let log: HostLog
    let metrics: MetricsRegistry

    /// An access log of `process`'s log and metrics.
    init(log: HostLog, metrics: MetricsRegistry) {
        self.log = log
        self.metrics = metrics
    }

    func write(_ record: AccessRecord, to log: HostLog) {
        let labels: MetricsRegistry.Labels = [
            .route: record.route, .method: record.method, .status: String(record.status),
        ]
        metrics.increment(.httpRequests, labels)
        metrics.observe(.httpRequestSeconds, labels, record.latency)
        let level: HostLogLevel =
            switch record.status {
            case ..<400: .info
            case ..<500: .warn
            default: .error
            }
        log.event(
            "http_request_completed", level,
            [
                LogField(.method, record.method), LogField(.route, record.route), LogField(.status, record.status),
                LogField(.latency, record.latency), LogField(.outcome, record.outcome),
            ])
    }
}
