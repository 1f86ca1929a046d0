import Foundation
import LLMGateway

/// The words of a meeting reminder.
struct ReminderText: Equatable, Sendable {
    /// Most characters of a meeting's title.
    static let maximumTitleLength = 80
    /// Most bytes of it: a character can be long.
    static let maximumTitleBytes = 640

    let title: String
    let body: String
    /// Minutes left, rounded up.
    let minutesLeft: Int

    init(meeting: String, start: Date, now: Date, timeZone: TimeZone) {
        minutesLeft = Int((start.timeIntervalSince(now) / 60).rounded(.up))
        title = minutesLeft <= 1 ? "Meeting starting now" : "Meeting in \(minutesLeft) min"
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let clock = calendar.dateComponents([.hour, .minute], from: start)
        let isTomorrow =
            calendar.date(byAdding: .day, value: 1, to: calendar.startOfDay(for: now))
            .map { calendar.isDate(start, inSameDayAs: $0) } ?? false
        let time = "\(Self.padded(clock.hour)):\(Self.padded(clock.minute))"
        body = "\(Self.title(meeting)) at \(time)" + (isTomorrow ? " tomorrow" : "")
    }

    private static func padded(_ number: Int?) -> String {
        let digits = String(number ?? 0)
        return digits.count < 2 ? "0" + digits : digits
    }

    /// A meeting's title on one line, without links and cut to its limit; `Untitled meeting` when it is blank.
    static func title(_ text: String) -> String {
        let line = Markup.withoutLinks(line(text))
        return line.isEmpty ? "Untitled meeting" : cut(line, to: maximumTitleLength, bytes: maximumTitleBytes)
    }

    /// A text on one line, without characters that nobody sees or that turn others round.
    static func line(_ text: String) -> String {
        let spaced = text.map { $0.unicodeScalars.allSatisfy(\.isControl) ? " " : $0 }
        return TextNormalization.visible(String(spaced))
    }

    /// Text cut at a limit ends with `...` inside it and between two characters; what the cut makes a link of goes.
    static func cut(_ text: String, to length: Int, bytes: Int) -> String {
        if text.count <= length, text.utf8.count <= bytes { return text }
        var kept = ""
        var size = 3
        for character in text.prefix(max(0, length - 3)) {
            size += character.utf8.count
            guard size <= bytes else { break }
            kept.append(character)
        }
        return Markup.withoutLinks(kept + "...")
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool { properties.generalCategory == .control }
}
