public import Logging

internal import Glibc

/// The log of one process, and with `with(…)` of one request or job in it.
public struct HostLog: Sendable {
    public let process: ProcessKind
    public let threshold: HostLogLevel
    public let format: LogFormat
    public let sink: LogSink
    private var requestID: RequestID?
    private var trace: TraceContext?

    public init(
        process: ProcessKind, threshold: HostLogLevel = .info, format: LogFormat = .json,
        sink: LogSink = .standardError()
    ) {
        self.process = process
        self.threshold = threshold
        self.format = format
        self.sink = sink
    }

    /// As `general` says.
    public init(process: ProcessKind, general: GeneralConfiguration, sink: LogSink = .standardError()) {
        self.init(process: process, threshold: general.logLevel, format: general.logFormat, sink: sink)
    }

    /// The same log, whose lines carry the ids of a request.
    public func with(requestID: RequestID?, trace: TraceContext?) -> HostLog {
        var log = self
        log.requestID = requestID
        log.trace = trace
        return log
    }

    /// Writes one event.
    public func event(_ event: HostLogEvent) {
        guard event.level >= threshold else { return }
        let allowed = event.fields.filter(\.isAllowed)
        sink.countDropped(event.fields.count - allowed.count)
        write(event.level, event.name.description, allowed.map { ($0.name.rawValue, $0.value) })
    }

    /// Writes one event.
    public func event(_ name: StaticString, _ level: HostLogLevel = .info, _ fields: [LogField] = []) {
        event(HostLogEvent(name, level, fields))
    }

    /// A logger for libraries: their texts are written when the threshold is `debug`, their fields never.
    public func libraryLogger(_ label: String) -> Logger {
        Logger(label: label) { _ in LibraryLogHandler(log: self, label: label) }
    }

    /// Makes this log the target of every library that has no logger of ours; once per process, before the first of them.
    public func takeOverLibraryLogs() {
        LoggingSystem.bootstrap { LibraryLogHandler(log: self, label: $0) }
    }

    func write(_ level: HostLogLevel, _ name: String, _ fields: [(name: String, value: LogField.Value)]) {
        var all: [(String, LogField.Value)] = []
        all.reserveCapacity(7 + fields.count)
        all.append(("ts", .text(timestamp())))
        all.append(("level", .text(level.rawValue)))
        all.append(("process", .text(process.logName)))
        all.append(("event", .text(name)))
        if let requestID { all.append(("request_id", .text(requestID.text))) }
        if let trace {
            all.append(("trace_id", .text(trace.traceID)))
            all.append(("span_id", .text(trace.spanID)))
        }
        sink.emit(LogLine.render(all + fields, as: format))
    }
}

/// RFC 3339 in UTC with milliseconds.
private func timestamp() -> String {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    var parts = unsafe tm()
    unsafe gmtime_r(&now.tv_sec, &parts)
    var text: [UInt8] = []
    text.reserveCapacity(24)
    func append(_ number: some BinaryInteger, _ width: Int, then end: Unicode.Scalar) {
        var (rest, divisor) = (Int(number), 1)
        for _ in 1..<width { divisor *= 10 }
        for _ in 0..<width {
            text.append(UInt8(ascii: "0") + UInt8(rest / divisor % 10))
            (rest, divisor) = (rest % divisor, max(1, divisor / 10))
        }
        text.append(UInt8(ascii: end))
    }
    unsafe append(parts.tm_year + 1900, 4, then: "-")
    unsafe append(parts.tm_mon + 1, 2, then: "-")
    unsafe append(parts.tm_mday, 2, then: "T")
    unsafe append(parts.tm_hour, 2, then: ":")
    unsafe append(parts.tm_min, 2, then: ":")
    unsafe append(parts.tm_sec, 2, then: ".")
    append(now.tv_nsec / 1_000_000, 3, then: "Z")
    return String(decoding: text, as: UTF8.self)
}
