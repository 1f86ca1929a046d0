import Crypto
import FoundationEssentials
import HostRuntime

/// How often recurring work runs.
public struct ScheduleRhythm: Sendable {
    public var calendarScan: Duration
    public var urgentEmail: Duration
    /// How late a missed morning brief may still be sent.
    public var briefCatchUp: Duration

    public init(calendarScan: Duration, urgentEmail: Duration, briefCatchUp: Duration) {
        self.calendarScan = calendarScan
        self.urgentEmail = urgentEmail
        self.briefCatchUp = briefCatchUp
    }
}

/// A schedule whose time has come.
struct DueSchedule: Sendable {
    let id: UUID
    let user: UUID
    let kind: ScheduleKind
    let slot: Date
    /// The user lives and has a device.
    let isServed: Bool
    let preferences: Preferences
}

/// What becomes of a due schedule: at most one job, and the next time.
struct SchedulePlan: Sendable, Equatable {
    /// A brief's last chance after its slot.
    static let briefLife = 4 * 3600.0
    /// Until a schedule of a user without a device is looked at again; registering one makes it due at once.
    static let unservedPause = 3600.0

    struct Job: Sendable, Equatable {
        let key: String
        let expiresAt: Date
    }

    let job: Job?
    let next: Date
    /// The local date of a brief that was missed for good.
    var missed: LocalDay?

    init(_ due: DueSchedule, _ rhythm: ScheduleRhythm, now: Date) {
        switch due.kind {
        case .calendarScan: self.init(due, every: rhythm.calendarScan.inSeconds, now: now, quiet: nil)
        case .urgentEmailCheck:
            self.init(due, every: rhythm.urgentEmail.inSeconds, now: now, quiet: QuietHours(due.preferences))
        case .morningBrief: self.init(brief: due, catchUp: rhythm.briefCatchUp.inSeconds, now: now)
        }
    }

    /// Every so often, in the user's own phase; missed slots are one run now, those in quiet hours move to their end.
    private init(_ due: DueSchedule, every interval: Double, now: Date, quiet: QuietHours?) {
        guard due.isServed else {
            (job, next) = (nil, now.addingTimeInterval(Self.unservedPause))
            return
        }
        if let quiet, quiet.contains(now) {
            (job, next) = (nil, quiet.end(after: now))
            return
        }
        let phase = Self.phase(of: due.user, interval: interval)
        let seconds = now.timeIntervalSince1970
        let aligned = Date(
            timeIntervalSince1970: (((seconds - phase) / interval).rounded(.down) + 1) * interval + phase)
        next = quiet.map { $0.contains(aligned) ? $0.end(after: aligned) : aligned } ?? aligned
        let slot = Int(due.slot.timeIntervalSince1970.rounded(.down))
        job = Job(key: "\(due.kind.rawValue):\(slot)", expiresAt: next)
    }

    /// Once per local date.
    private init(brief due: DueSchedule, catchUp: Double, now: Date) {
        let clock = WallClock(timeZone: due.preferences.timeZone)
        let day = clock.reading(at: due.slot).day
        let isInTime = now.timeIntervalSince(due.slot) <= catchUp && clock.reading(at: now).day == day
        next = Self.nextBrief(due.preferences, after: max(now, due.slot))
        guard due.isServed else {
            job = nil
            return
        }
        missed = isInTime ? nil : day
        job =
            isInTime
            ? Job(
                key: "\(due.kind.rawValue):\(day.text)", expiresAt: due.slot.addingTimeInterval(Self.briefLife))
            : nil
    }

    /// The user's next brief after an instant.
    static func nextBrief(_ preferences: Preferences, after date: Date) -> Date {
        WallClock(timeZone: preferences.timeZone)
            .next(after: date, minutes: WallClock.minutes(preferences.morningBriefLocalTime) ?? 8 * 60).instant
    }

    /// The first eight bytes of the user's digest, modulo the interval: spreads users evenly.
    static func phase(of user: UUID, interval: Double) -> Double {
        let number = SHA256.hash(data: user.octets).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Double(number % UInt64(max(1, interval)))
    }
}
