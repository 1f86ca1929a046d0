import Foundation
import HostRuntime
import LLMGateway
import Testing

@Suite struct EventSpanTests {
    private let day = LocalDay(number: 20_782)
    private let start = Date(timeIntervalSince1970: 20_782 * 86_400)
    private var bounds: Range<Date> { start..<start.addingTimeInterval(86_400) }

    @Test(arguments: [
        (-3600.0, 0.0, false), (-3600, 1, true), (0, nil, true), (86_399, 90_000, true), (86_400, 90_000, false),
        (-1, nil, false), (-90_000, 200_000, true),
    ])
    func `a timed event belongs to the days it overlaps`(from: Double, to: Double?, isPart: Bool) {
        let span = EventSpan.timed(
            start: start.addingTimeInterval(from), end: to.map { start.addingTimeInterval($0) })
        #expect(span.overlaps(day, bounds) == isPart)
    }

    @Test(arguments: [
        ("2026-11-25", "2026-11-26", true), ("2026-11-25", nil, true), ("2026-11-25", "2026-11-25", true),
        ("2026-11-24", "2026-11-25", false), ("2026-11-24", nil, false), ("2026-11-20", "2026-12-01", true),
        ("2026-11-26", "2026-11-27", false),
    ])
    func `an all-day event ends before its last date`(first: String, end: String?, isPart: Bool) {
        #expect(EventSpan.days(first: first, end: end).overlaps(day, bounds) == isPart)
    }
}
