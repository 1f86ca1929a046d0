import Foundation
import Glibc
import LocalStack
import SimulatorKit
import Testing

/// Places between two steps of an erasure where it can be held up: triggers that wait as long as their place is armed.
enum ErasurePoint: String, CaseIterable {
    /// A request is about to be leased.
    case claim
    /// It is leased; the user is about to be frozen.
    case freeze
    /// The grant is revoked at Google; the tombstone is about to be stored.
    case tombstone
    /// The tombstone is stored; the connector is about to be called revoked.
    case mark
    /// The first small statements of the deletion are about to run.
    case thinOut
    /// The last transaction has deleted all but this table.
    case purge
    /// Everything is done; the request is about to be called completed.
    case complete

    /// When and where its trigger fires.
    fileprivate var trigger: String {
        switch self {
        case .claim:
            "before update on alfred.privacy_delete_requests for each row when (new.lease_token > old.lease_token)"
        case .freeze:
            "before update on alfred.users for each row when (old.frozen_at is null and new.frozen_at is not null)"
        case .tombstone:
            "before update on alfred.connectors for each row when (new.record_version > old.record_version)"
        case .mark:
            """
            before update on alfred.connectors for each row
                when (new.status = 'REVOKED' and old.status is distinct from 'REVOKED')
            """
        case .thinOut:
            // Others delete old rows there.
            """
            before delete on alfred.push_outbox for each statement
                when (current_query() like '%privacy_delete_requests%')
            """
        case .purge: "before delete on alfred.user_preferences for each statement"
        case .complete:
            """
            before update on alfred.privacy_delete_requests for each row
                when (new.status = 'COMPLETED' and old.status <> 'COMPLETED')
            """
        }
    }
}

/// Holds the erasure of the one user of a system up between two steps, and kills the worker there.
struct ErasureFaults {
    let stack: LocalStack
    let environment: StackEnvironment

    /// Puts the triggers in; none is armed.
    init(_ stack: LocalStack) async throws {
        self.stack = stack
        environment = try await stack.known
        let triggers = ErasurePoint.allCases.map {
            "create trigger a_fault_\($0.rawValue.lowercased()) \($0.trigger) "
                + "execute function public.fault_point('\($0.rawValue)');"
        }
        _ = try query(
            """
            create table public.fault_points (point text primary key);
            grant select on public.fault_points to public;
            create function public.fault_point() returns trigger language plpgsql as $$
            begin
                while exists (select from public.fault_points where point = tg_argv[0]) loop
                    perform pg_sleep(0.01);
                end loop;
                return new;
            end $$;
            """ + triggers.joined(separator: "\n"))
    }

    func query(_ text: String) throws -> String { try Tool.psql(text, environment) }

    func arm(_ point: ErasurePoint) throws {
        _ = try query("insert into public.fault_points values ('\(point.rawValue)')")
    }

    /// Lets the held statement go on, and all later ones.
    func release() throws { _ = try query("delete from public.fault_points") }

    /// Waits until a statement of a worker is held.
    func waitUntilHeld(at point: ErasurePoint) async throws {
        _ = try await eventually("the erasure is held at \(point.rawValue)") { () -> Bool? in
            let held = try query(
                """
                select count(*) from pg_stat_activity
                where wait_event = 'PgSleep' and usename like 'alfred_worker%' and state = 'active'
                """)
            return held == "0" ? nil : true
        }
    }

    /// Kills the worker and what it had under way in the database; its lease is over at once.
    func killWorker() async throws {
        try await stack.kill9(.worker)
        _ = try await eventually("the dead worker's sessions are gone") { () -> Bool? in
            let left = try query(
                """
                select count(pg_terminate_backend(pid)) from pg_stat_activity where usename like 'alfred_worker%'
                """)
            return left == "0" ? true : nil
        }
        try release()
        _ = try query("update alfred.privacy_delete_requests set lease_expires_at = now() where status = 'RUNNING'")
    }

    /// Starts a worker, lets it come as far as `point`, and kills it there.
    func killWorker(at point: ErasurePoint) async throws {
        try arm(point)
        try await stack.start(.worker)
        try await waitUntilHeld(at: point)
        try await killWorker()
    }

    // MARK: - Where an erasure stands

    var isFrozen: Bool { get throws { try query("select frozen_at is not null from alfred.users") == "t" } }
    var isDeleted: Bool { get throws { try query("select status from alfred.users") == "DELETED" } }
    var isCompleted: Bool {
        get throws { try query("select status from alfred.privacy_delete_requests") == "COMPLETED" }
    }
    /// Status and record version of the connector; empty when there is none.
    var connector: String { get throws { try query("select status, record_version from alfred.connectors") } }
    /// Rows of all tables that an erasure empties.
    var rows: Int {
        get throws {
            let counts = EndToEnd.PrivacyDeleteTests.tables.map { "(select count(*) from alfred.\($0))" }
            return Int(try query("select \(counts.joined(separator: " + "))")) ?? -1
        }
    }
    /// Keys in Redis that name the user, by his id or its digest.
    func redisKeys(of user: String) throws -> Int {
        try redis(["--scan", "--pattern", "*\(user)*"]).split(separator: "\n").count
            + redis(["--scan", "--pattern", "*\(try digest(of: user))*"]).split(separator: "\n").count
    }

    func redis(_ arguments: [String]) throws -> String {
        let url = URLComponents(string: environment.redisURL)
        let data = try Tool.output(
            "redis-cli", ["-p", "\(url?.port ?? 0)"] + arguments, ["REDISCLI_AUTH": url?.password ?? ""])
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func digest(of user: String) throws -> String {
        try query("select encode(sha256(convert_to('\(user)', 'UTF8')), 'hex')")
    }

    /// The running worker's counter of calls of `method` that went well.
    func calls(of method: String) async throws -> Int {
        let text = try await Phone.text("http://127.0.0.1:\(environment.ports.workerMetrics)/metrics")
        let line = text.split(separator: "\n").first {
            $0.hasPrefix("alfred_enclave_calls_total{") && $0.contains("\"\(method)\"") && $0.contains("\"ok\"")
        }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
    }

    /// Stops or continues the Redis of this system.
    func signalRedis(_ signal: Int32) throws {
        let file = stack.settings.state.appending(path: "infra/redis/redis.pid")
        let text = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        kill(try #require(Int32(text)), signal)
    }
}
