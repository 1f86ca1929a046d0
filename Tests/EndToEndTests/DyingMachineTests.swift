import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// kill -9 of every part at random moments while people use the system.
    @Suite struct DyingMachineTests {
        /// Seconds of killing; `scripts/chaos` sets more.
        static let seconds = Int(ProcessInfo.processInfo.environment["ALFRED_CHAOS_SECONDS"] ?? "") ?? 20

        @Test(.timeLimit(.minutes(30))) func nothingIsLostOrDoubledWhileEverythingDies() async throws {
            let quick = [
                "WORKER_LEASE_SECONDS": "3", "WORKER_TICK_SECONDS": "1", "WORKER_RETRY_BASE_DELAY_SECONDS": "1",
                "WORKER_RETRY_MAX_DELAY_SECONDS": "3", "SCHEDULE_CALENDAR_SCAN_SECONDS": "60",
                "ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "60", "ENCLAVE_USER_GOOGLE_PER_MINUTE": "10000",
            ]
            try await withStack("chaos", { $0.overrides = quick }) { stack in
                let control = try await stack.control
                try await control.setRotation(.grace)
                let users = try await Self.connectUsers(6, on: stack, control)
                let end = ContinuousClock.now.advanced(by: .seconds(Self.seconds))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await Killer(stack).run(until: end) }
                    for user in users { group.addTask { try await user.live(until: end, control) } }
                    group.addTask { try await Self.tellStories(until: end, on: stack, control) }
                    try await group.waitForAll()
                }
                for user in users { try await user.expectEachReminderOnce(control) }
                for user in users {
                    let list = try await user.phone.expect("GET", "/v1/connectors")
                    let items = list.json["items"] as? [[String: any Sendable]] ?? []
                    #expect(items.map { $0["status"] as? String } == ["ACTIVE"])
                }
                try await Self.expectNothingStuck(stack)
            }
        }

        private static func connectUsers(
            _ count: Int, on stack: LocalStack, _ control: SimulatorControl
        ) async throws -> [ChaosUser] {
            var users: [ChaosUser] = []
            for number in 0..<count {
                let user = ChaosUser(number: number, phone: try await stack.phone(subject: "user_chaos_\(number)"))
                try await control.setConsent(ConsentPolicy(account: user.account))
                #expect(try await user.phone.connectGoogle().status == 200)
                try await user.phone.switchOffQuietHours()
                users.append(user)
            }
            return users
        }

        /// One newcomer after the other connects, gets a reminder and revokes; the phone repeats what failed.
        private static func tellStories(
            until end: ContinuousClock.Instant, on stack: LocalStack, _ control: SimulatorControl
        ) async throws {
            var number = 100
            while ContinuousClock.now < end {
                number += 1
                let user = ChaosUser(number: number, phone: try await stack.phone(subject: "user_chaos_\(number)"))
                try await control.setConsent(ConsentPolicy(account: user.account))
                try await user.repeating("connect") { try await $0.connectGoogle().status == 200 }
                try await user.repeating("quiet hours") {
                    try await $0.switchOffQuietHours()
                    return true
                }
                try await user.meet(control)
                try await user.repeating("register") {
                    try await $0.register(device: "iphone-\(number)", token: user.deviceToken)
                    return true
                }
                try await user.expectEachReminderOnce(control, atLeast: 1)
                try await user.repeating("revoke") { phone in
                    let list = try await phone.expect("GET", "/v1/connectors")
                    let items = list.json["items"] as? [[String: any Sendable]] ?? []
                    guard let item = items.first, let id = item["connector_id"] as? String else { return false }
                    if item["status"] as? String == "REVOKED" { return true }
                    return try await phone.call("DELETE", "/v1/connectors/\(id)").status == 200
                }
                #expect(try await control.isRevoked(account: user.account), "user \(number)")
            }
        }

        private static func expectNothingStuck(_ stack: LocalStack) async throws {
            let environment = try #require(await stack.environment)
            _ = try await eventually("no job or push is left running", within: .seconds(30)) { () -> Bool? in
                let running = try Tool.psql(
                    """
                    select (select count(*) from alfred.jobs where state = 'RUNNING')
                        + (select count(*) from alfred.push_outbox where state in ('SENDING', 'PENDING'))
                    """, environment)
                return running == "0" ? true : nil
            }
            #expect(try Tool.psql("select count(*) from alfred.dead_letter_jobs", environment) == "0")
        }
    }
}

/// Kills one part after the other, and starts it again.
struct Killer {
    let stack: LocalStack

    init(_ stack: LocalStack) { self.stack = stack }

    func run(until end: ContinuousClock.Instant) async throws {
        var victims = ["enclave", "worker", "api", "postgres", "redis"].shuffled()
        while ContinuousClock.now < end {
            if victims.isEmpty { victims = ["enclave", "worker", "api", "postgres", "redis"].shuffled() }
            let victim = victims.removeLast()
            if let component = Component(rawValue: victim) {
                try await stack.kill9(component)
                try await stack.launch(component)
            } else {
                try await stack.infra("kill-\(victim)")
                try await stack.infra("start-\(victim)")
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 300...1500)))
        }
        // What did not survive a start without its neighbours is started again, as a supervisor would.
        for component in [Component.enclave, .api, .worker] {
            _ = try await eventually("\(component.rawValue) after the chaos", within: .seconds(60)) { () -> Bool? in
                if try await !stack.process(component).isRunning { try await stack.launch(component) }
                return try await stack.isReady(component) ? true : nil
            }
        }
    }
}

/// A person with one iPhone who makes meetings all the time; each must give one reminder.
final class ChaosUser: Sendable {
    let number: Int
    let phone: Phone
    let deviceToken: String
    var account: String { "chaos\(number)@example.com" }
    private let meetings = MeetingList()

    init(number: Int, phone: Phone) {
        self.number = number
        self.phone = phone
        deviceToken = (0..<32).map { _ in String(format: "%02x", UInt8.random(in: 0...255)) }.joined()
    }

    /// Makes meetings, and lets the app register again and again, which also makes the calendar scan due.
    func live(until end: ContinuousClock.Instant, _ control: SimulatorControl) async throws {
        while ContinuousClock.now < end {
            try await meet(control)
            if meetings.all.count % 20 == 0 { try await tidyUp(control) }
            _ = try? await phone.register(device: "iphone-\(number)", token: deviceToken)
            try await Task.sleep(for: .milliseconds(Int.random(in: 1000...2500)))
        }
        // Twice the window of the limit: what failed while everything died has used it up.
        _ = try await eventually("registration of iphone-\(number) after the chaos", within: .seconds(150)) {
            try await phone.register(device: "iphone-\(number)", token: deviceToken)
            return true
        }
    }

    /// Puts a meeting into the calendar, a few seconds more than 15 minutes away.
    func meet(_ control: SimulatorControl) async throws {
        let format = ISO8601DateFormatter()
        let start = Date().addingTimeInterval(15 * 60 + Double.random(in: 1...6))
        let title = meetings.new(of: number)
        try await control.putEvent(
            account: account,
            CalendarEvent(
                id: Self.eventID(title), summary: title,
                start: .init(dateTime: format.string(from: start)),
                end: .init(dateTime: format.string(from: start.addingTimeInterval(600)))))
    }

    /// Takes out of the calendar what was reminded of: a scan reads a hundred events, and nobody has more at a time.
    private func tidyUp(_ control: SimulatorControl) async throws {
        let token = deviceToken
        let bodies = try await control.deliveries().filter { $0.deviceToken == token }.map(\.body)
        let shown = meetings.all.filter { title in bodies.contains { $0.hasPrefix("\(title) at ") } }
        let present = Set(try await control.events(account: account).map(\.id))
        for id in shown.map(Self.eventID) where present.contains(id) {
            try await control.removeEvent(account: account, id: id)
        }
    }

    private static func eventID(_ title: String) -> String {
        title.lowercased().filter { $0.isLetter || $0.isNumber }
    }

    /// Repeats `step` until it answers true; a phone without an answer asks again.
    func repeating(_ what: String, _ step: (Phone) async throws -> Bool) async throws {
        _ = try await eventually("\(what) of user \(number)", within: .seconds(150)) { () -> Bool? in
            try await step(phone) ? true : nil
        }
    }

    /// One notification for each meeting: not none, not two.
    func expectEachReminderOnce(_ control: SimulatorControl, atLeast least: Int = 4) async throws {
        let titles = meetings.all
        #expect(titles.count >= least)
        let token = deviceToken
        _ = try await eventually("all \(titles.count) reminders of user \(number)", within: .seconds(90)) {
            () -> Bool? in
            let bodies = try await control.deliveries().filter { $0.deviceToken == token }.map(\.body)
            return titles.allSatisfy { title in bodies.contains { $0.hasPrefix("\(title) at ") } } ? true : nil
        }
        let bodies = try await control.deliveries().filter { $0.deviceToken == token }.map(\.body)
        for title in titles {
            #expect(bodies.filter { $0.hasPrefix("\(title) at ") }.count == 1, "\(title)")
        }
        #expect(bodies.count == titles.count)
    }
}

/// Titles in order of making.
private final class MeetingList: @unchecked Sendable {
    private let lock = NSLock()
    private var titles: [String] = []

    var all: [String] { lock.withLock { titles } }

    /// A title not used before.
    func new(of user: Int) -> String {
        lock.withLock {
            titles.append("Meeting \(user)-\(titles.count + 1)")
            return titles[titles.count - 1]
        }
    }
}
