import Foundation
import HostRuntime

/// What the words of a question ask for.
struct QueryWords: Sendable {
    /// Longest question that can be a follow-up of an earlier one, in words.
    static let longestFollowUp = 10
    /// Days that can be asked for, from today.
    static let allowedDays = -1...31

    private static let subjects: Set<String> = ["meeting", "meetings", "calendar", "schedule", "agenda"]
    private static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]
    private static let followUps: [[String]] = [
        ["what", "about"], ["how", "about"], ["and", "then"], ["then"], ["next"], ["after", "that"], ["same"],
        ["again"], ["also"], ["those"], ["them"],
    ]

    /// A day as it was named.
    enum Day: Sendable, Equatable {
        case none
        case on(LocalDay)
        /// Named, and not one that can be answered.
        case impossible
    }

    let words: [String]

    init(_ query: String) {
        words = query.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }

    var isAboutMeetings: Bool { words.contains(where: Self.subjects.contains) }

    /// Whether it can only be understood after an earlier question.
    func isFollowUp(today: LocalDay) -> Bool {
        guard words.count <= Self.longestFollowUp else { return false }
        return day(today: today) != .none || Self.followUps.contains(where: contains)
    }

    /// The first day that is named.
    func day(today: LocalDay) -> Day {
        for index in words.indices {
            guard let found = day(at: index, today) else { continue }
            guard let found, Self.allowedDays.contains(found.number - today.number) else { return .impossible }
            return .on(found)
        }
        return .none
    }

    /// Nil when no day is named there; a nil inside when it is one that does not exist.
    private func day(at index: Int, _ today: LocalDay) -> LocalDay?? {
        let word = words[index]
        switch word {
        case "today": return .some(today)
        case "tomorrow": return .some(today.adding(1))
        case "yesterday": return .some(today.adding(-1))
        default: break
        }
        if let weekday = Self.weekdays.firstIndex(of: word) {
            return .some(today.adding((weekday - today.weekday + 7) % 7))
        }
        if word.utf8.count == 4, let year = Int(word), let month = number(index + 1), let day = number(index + 2),
            words[index + 1].utf8.count == 2, words[index + 2].utf8.count == 2
        {
            return .some(LocalDay(year: year, month: month, day: day))
        }
        guard let month = Self.months.firstIndex(of: word) else { return nil }
        let before = words.indices.contains(index - 1) && words[index - 1] == "of" ? index - 2 : index - 1
        guard let day = ordinal(index + 1) ?? ordinal(before) else { return nil }
        let year = today.parts.year
        return .some(
            (0...1).compactMap { LocalDay(year: year + $0, month: month + 1, day: day) }.first { $0 >= today })
    }

    private func number(_ index: Int) -> Int? { words.indices.contains(index) ? Int(words[index]) : nil }

    /// `3`, `3rd` and the like, from 1 to 31.
    private func ordinal(_ index: Int) -> Int? {
        guard words.indices.contains(index) else { return nil }
        var text = words[index][...]
        for ending in ["st", "nd", "rd", "th"] where text.hasSuffix(ending) { text = text.dropLast(2) }
        guard let day = Int(text), (1...31).contains(day) else { return nil }
        return day
    }

    private func contains(_ phrase: [String]) -> Bool {
        guard words.count >= phrase.count else { return false }
        return (0...(words.count - phrase.count)).contains { Array(words[$0..<($0 + phrase.count)]) == phrase }
    }
}
