import Foundation
import LocalStack
import SimulatorKit
import Testing

/// Compares what the tables say with what the phones show.
struct JobChaosVerdict {
    private let environment: StackEnvironment
    private let seed: ManyJobsSeed
    private let phones: JobChaosPhones

    init(_ stack: LocalStack, seed: ManyJobsSeed, phones: JobChaosPhones) async throws {
        environment = try await stack.known
        self.seed = seed
        self.phones = phones
    }

    func check(_ deliveries: [Delivery]) throws {
        try checkJobs()
        try checkPushes(deliveries)
        try checkPhones(deliveries)
        try checkDevices()
        try checkTimes(deliveries)
    }

    /// Each job is done, or dead with its reason.
    private func checkJobs() throws {
        #expect(try number("select count(*) from alfred.jobs") == seed.jobs)
        #expect(try number("select count(*) from alfred.jobs where state not in ('DONE', 'FAILED')") == 0)
        let unexplained = """
            select count(*) from alfred.jobs j left join alfred.dead_letter_jobs d on d.job_id = j.id
            where j.state = 'FAILED' and coalesce(d.reason_code, '') = ''
            """
        #expect(try number(unexplained) == 0)
        let reasons = try Tool.psql("select reason_code, count(*) from alfred.dead_letter_jobs group by 1", environment)
        // Only who has no phone left gets nothing.
        #expect(reasons.split(separator: "\n").allSatisfy { $0.hasPrefix("NO_REGISTERED_DEVICE|") }, "\(reasons)")
    }

    /// What the tables call delivered was shown, once, with its words; what was not delivered has a reason.
    private func checkPushes(_ deliveries: [Delivery]) throws {
        let shown = Dictionary(grouping: deliveries, by: \.id)
        let rows = try Tool.psql(
            "select id, state, coalesce(last_error_code, '') from alfred.push_outbox", environment
        ).split(separator: "\n").map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
        var (missing, doubled, silent) = (0, 0, 0)
        for row in rows {
            let times = shown[row[0]]?.count ?? 0
            switch row[1] {
            case "DELIVERED":
                if times == 0 { missing += 1 }
                if times > 1 { doubled += 1 }
            default: if row[2].isEmpty { silent += 1 }
            }
        }
        #expect(missing == 0)
        #expect(doubled == 0)
        #expect(silent == 0, "undelivered without a reason")
        let fates = Dictionary(grouping: rows.filter { $0[1] != "DELIVERED" }, by: { "\($0[1]) \($0[2])" })
        let routes = Dictionary(grouping: deliveries, by: \.route.rawValue).mapValues(\.count)
        let repeats = deliveries.reduce(0) { $0 + $1.count - 1 }
        print(
            "note: \(rows.count) pushes, shown: \(routes), \(repeats) repeats merged by the phone, undelivered: "
                + "\(fates.mapValues(\.count))")
        #expect(routes["direct"] ?? 0 > 0 && routes["endpoint"] ?? 0 > 0)
        let known = Set(rows.map { $0[0] })
        #expect(deliveries.allSatisfy { known.contains($0.id) && !$0.contentChanged })
    }

    /// Each phone that is still there shows each of its owner's jobs once.
    private func checkPhones(_ deliveries: [Delivery]) throws {
        let undelivered = Set(
            try Tool.psql(
                """
                select d.user_id || ' ' || d.device_identifier || ' ' || p.action_key from alfred.push_outbox p
                join alfred.devices d on d.id = p.device_id where p.state <> 'DELIVERED'
                """, environment
            ).split(separator: "\n").map(String.init))
        let shown = Dictionary(grouping: deliveries, by: \.deviceToken).mapValues { $0.map(\.body) }
        let dead = phones.all
        var wrong = 0
        for user in 0..<seed.users {
            let texts = stride(from: user, to: seed.jobs, by: seed.users).map { $0 }
            for device in 0..<seed.devices(of: user) {
                let token = ManyJobsSeed.token(user, device)
                let bodies = shown[token] ?? []
                if dead.contains(token) {
                    if !bodies.isEmpty { wrong += 1 }
                    continue
                }
                let row = "\(ManyJobsSeed.id(user).uuidString.lowercased()) phone-\(device)"
                let expected = texts.filter { !undelivered.contains("\(row) chaos:\($0)") }.map(ManyJobsSeed.text)
                // A row may have ended undelivered although a try whose answer was lost was shown.
                let surplus = Set(bodies).subtracting(expected)
                if Set(expected).subtracting(bodies).count > 0 || Set(bodies).count != bodies.count
                    || !surplus.isSubset(of: Set(texts.map(ManyJobsSeed.text)))
                {
                    wrong += 1
                }
            }
        }
        #expect(wrong == 0, "phones that lack something or show something twice")
    }

    /// Exactly the devices that the push service called dead since their registration are disabled.
    private func checkDevices() throws {
        let rows = try Tool.psql(
            "select user_id, device_identifier, coalesce(disabled_reason, '') from alfred.devices", environment
        ).split(separator: "\n").map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
        let reasons = Dictionary(rows.map { ("\($0[0]) \($0[1])", $0[2]) }, uniquingKeysWith: { first, _ in first })
        for user in 0..<seed.users {
            for device in 0..<seed.devices(of: user) {
                let reason = reasons["\(ManyJobsSeed.id(user).uuidString.lowercased()) phone-\(device)"]
                #expect(reason == phones.disabledReason(ManyJobsSeed.token(user, device)), "phone \(user) \(device)")
            }
        }
    }

    /// Nothing comes before its time; how much came late is told.
    private func checkTimes(_ deliveries: [Delivery]) throws {
        let due = Dictionary(
            uniqueKeysWithValues: try Tool.psql(
                "select idempotency_key, extract(epoch from created_at) from alfred.jobs",
                environment
            ).split(separator: "\n").compactMap { line -> (String, Double)? in
                let parts = line.split(separator: "|")
                guard parts.count == 2, let time = Double(parts[1]) else { return nil }
                return (String(parts[0]), time)
            })
        let delays = deliveries.compactMap { delivery -> Double? in
            guard let job = Int(delivery.body.dropFirst("Job ".count)), let dueAt = due["chaos:\(job)"] else {
                return nil
            }
            return Double(delivery.firstUnixMilliseconds) / 1000 - dueAt
        }.sorted()
        // A phone's clock shows whole milliseconds.
        #expect(delays.count == deliveries.count && delays.allSatisfy { $0 > -0.002 })
        guard let last = delays.last else { return }
        let onTime = delays.count { $0 <= 5 } * 100 / delays.count
        let format = { (value: Double) in String(format: "%.1f s", value) }
        print(
            "note: \(delays.count) notifications, \(onTime) % within 5 s of their due time, half within "
                + "\(format(delays[delays.count / 2])), the last after \(format(last))")
    }

    private func number(_ query: String) throws -> Int { Int(try Tool.psql(query, environment)) ?? -1 }
}
