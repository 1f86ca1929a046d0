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
            let running = try await stack.process(component).isRunning
            if !running { try await stack.launch(component) }
            try await stack.ready(component, within: .seconds(60))
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
        let format = ISO8601DateFormatter()
        var count = 0
        while ContinuousClock.now < end {
            count += 1
            let start = Date().addingTimeInterval(15 * 60 + Double.random(in: 1...6))
            let title = "Meeting \(number)-\(count)"
            try await control.putEvent(
                account: account,
                CalendarEvent(
                    id: "chaos\(number)x\(count)", summary: title,
                    start: .init(dateTime: format.string(from: start)),
                    end: .init(dateTime: format.string(from: start.addingTimeInterval(600)))))
            meetings.add(title)
            _ = try? await phone.register(device: "iphone-\(number)", token: deviceToken)
            try await Task.sleep(for: .milliseconds(Int.random(in: 1000...2500)))
        }
        _ = try await eventually("registration of iphone-\(number) after the chaos", within: .seconds(60)) {
            try await phone.register(device: "iphone-\(number)", token: deviceToken)
            return true
        }
    }

    /// One notification for each meeting: not none, not two.
    func expectEachReminderOnce(_ control: SimulatorControl) async throws {
        let titles = meetings.all
        #expect(titles.count > 3)
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
    func add(_ title: String) { lock.withLock { titles.append(title) } }
}
