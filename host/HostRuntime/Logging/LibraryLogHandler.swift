internal import Logging

/// Takes what libraries log: the text only when the process logs at `debug`, metadata never.
struct LibraryLogHandler: LogHandler {
    private let log: HostLog
    private let label: String
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level

    init(log: HostLog, label: String) {
        self.log = log
        self.label = label
        logLevel =
            switch log.threshold {
            case .debug: .debug
            case .info: .info
            case .warn: .warning
            case .error: .error
            }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let level: HostLogLevel =
            switch event.level {
            case .trace, .debug: .debug
            case .info, .notice: .info
            case .warning: .warn
            case .error, .critical: .error
            }
        guard level >= log.threshold else { return }
        let texts = (event.metadata?.count ?? 0) + metadata.count
        log.sink.countDropped(log.threshold == .debug ? texts : texts + 1)
        var fields: [(name: String, value: LogField.Value)] = [("component", .text(String(label.prefix(64))))]
        if log.threshold == .debug {
            fields.append(("message", .text(String(event.message.description.prefix(1024)))))
        }
        log.write(level, "library_message", fields)
    }
}
