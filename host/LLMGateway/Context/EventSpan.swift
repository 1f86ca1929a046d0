public import FoundationEssentials
public import HostRuntime

/// When an event of a calendar is.
public enum EventSpan: Sendable, Hashable {
    /// Without an end it takes no time.
    case timed(start: Date, end: Date?)
    /// Dates of an all-day event, `YYYY-MM-DD`: its first, and the one after its last; it lasts a day at least.
    case days(first: String, end: String?)

    /// Whether it overlaps a local day that has these bounds.
    public func overlaps(_ day: LocalDay, _ bounds: Range<Date>) -> Bool {
        switch self {
        case .timed(let start, let end):
            start < bounds.upperBound && (start >= bounds.lowerBound || (end ?? start) > bounds.lowerBound)
        case .days(let first, let end): first == day.text || first < day.text && day.text < (end ?? first)
        }
    }
}
