public import Foundation

/// The header by which a service says when to come again (RFC 9110 §10.2.3).
public enum RetryAfter {
    /// Longest wait that is believed, in seconds.
    static let longest = 86_400.0

    /// Seconds or a date; nil when it is neither.
    public static func wait(_ header: String?, now: Date) -> Duration? {
        guard let text = header?.trimmingCharacters(in: .whitespaces), text.utf8.count <= 64 else { return nil }
        if let seconds = UInt32(text) { return .seconds(min(Double(seconds), longest)) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = .gmt
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        guard let date = format.date(from: text) else { return nil }
        return .seconds(min(max(date.timeIntervalSince(now), 0), longest))
    }
}
