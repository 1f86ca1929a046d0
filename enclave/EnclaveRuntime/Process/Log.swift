internal import CLinux
internal import Glibc
internal import Synchronization

/// Least level that is written.
public enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case error, warn, info, debug

    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.order < right.order }
    private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// What an enclave may say: fixed events with fixed fields, none of which can hold an id or a secret.
public enum LogEvent: Sendable {
    case starting(environment: String, mode: String, measurement: String, keyID: String, keyVersion: UInt32)
    case ready(address: String, milliseconds: Int)
    case call(method: String, role: String, result: String, milliseconds: Int)
    case provider(host: String, status: Int, milliseconds: Int)
    /// What KMS was asked, and why it came to nothing.
    case keyManagement(operation: String, fault: String)
    case sessionEnded(role: String, reason: String)
    /// Every secret is open: calls are served.
    case open
    case devShim
    case secureModule(String)
    case signingKeyUnusable
    case memoryNotLocked
    case unknownVariable(String)
    case draining
    case stopped

    var name: String {
        switch self {
        case .starting: "enclave_starting"
        case .ready: "enclave_ready"
        case .call: "enclave_call"
        case .provider: "provider_call"
        case .keyManagement: "key_management_failed"
        case .sessionEnded: "session_ended"
        case .open: "enclave_open"
        case .devShim: "dev_shim_is_not_secure"
        case .secureModule: "secure_module_failed"
        case .signingKeyUnusable: "signing_key_unusable"
        case .memoryNotLocked: "memory_not_locked"
        case .unknownVariable: "unknown_variable"
        case .draining: "enclave_draining"
        case .stopped: "enclave_stopped"
        }
    }

    /// Field names and values; numbers stay numbers.
    var fields: [(String, LogValue)] {
        switch self {
        case .starting(let environment, let mode, let measurement, let keyID, let keyVersion):
            [
                ("environment", .text(environment)), ("mode", .text(mode)), ("measurement", .text(measurement)),
                ("key_id", .text(keyID)), ("key_version", .number(Int(keyVersion))),
            ]
        case .ready(let address, let milliseconds):
            [("address", .text(address)), ("start_ms", .number(milliseconds))]
        case .call(let method, let role, let result, let milliseconds):
            [
                ("method", .text(method)), ("role", .text(role)), ("result", .text(result)),
                ("latency_ms", .number(milliseconds)),
            ]
        case .provider(let host, let status, let milliseconds):
            [("host", .text(host)), ("status", .number(status)), ("latency_ms", .number(milliseconds))]
        case .keyManagement(let operation, let fault): [("operation", .text(operation)), ("reason", .text(fault))]
        case .sessionEnded(let role, let reason): [("role", .text(role)), ("reason", .text(reason))]
        case .unknownVariable(let name): [("variable", .text(name))]
        case .secureModule(let reason): [("reason", .text(reason))]
        case .open, .devShim, .signingKeyUnusable, .memoryNotLocked, .draining, .stopped: []
        }
    }
}

/// A value in a log line.
enum LogValue: Sendable { case text(String), number(Int) }

/// Writes one line per event on stderr.
public struct Log: Sendable {
    private let level: LogLevel
    private let json: Bool

    /// A log that writes `level` and worse.
    public init(level: LogLevel, json: Bool) {
        self.level = level
        self.json = json
    }

    /// Writes `event` unless its level is not wanted; `requestID` ties lines of host and enclave together.
    public func write(_ level: LogLevel, _ event: LogEvent, requestID: String? = nil) {
        guard level <= self.level else { return }
        var line = json ? Self.jsonLine(level, event, requestID) : Self.textLine(level, event, requestID)
        line += "\n"
        line.withUTF8 { bytes in unsafe _ = CLinux.write(2, bytes.baseAddress, bytes.count) }
    }

    static func jsonLine(_ level: LogLevel, _ event: LogEvent, _ requestID: String?) -> String {
        var line = "{\"ts\":\"\(timestamp())\",\"level\":\"\(level.rawValue)\",\"process\":\"enclave\""
        line += ",\"event\":\"\(event.name)\""
        if let requestID { line += ",\"request_id\":\(quoted(requestID))" }
        for (name, value) in event.fields {
            switch value {
            case .text(let text): line += ",\"\(name)\":\(quoted(text))"
            case .number(let number): line += ",\"\(name)\":\(number)"
            }
        }
        return line + "}"
    }

    private static func textLine(_ level: LogLevel, _ event: LogEvent, _ requestID: String?) -> String {
        var line = "\(timestamp()) \(level.rawValue) \(event.name)"
        if let requestID { line += " request_id=\(requestID)" }
        for (name, value) in event.fields {
            switch value {
            case .text(let text): line += " \(name)=\(text)"
            case .number(let number): line += " \(name)=\(number)"
            }
        }
        return line
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case " "..."~": result.unicodeScalars.append(scalar)
            default: result += "?"
            }
        }
        return result + "\""
    }

    private static func timestamp() -> String {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        var parts = unsafe tm()
        unsafe gmtime_r(&time.tv_sec, &parts)
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = unsafe [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday].map { digits(Int($0), 2) }
        let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }
        return date.joined(separator: "-") + "T" + clock.joined(separator: ":")
            + ".\(digits(time.tv_nsec / 1_000_000, 3))Z"
    }
}
