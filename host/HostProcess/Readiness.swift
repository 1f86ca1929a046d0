import HostRuntime
public import ServiceLifecycle
import Synchronization

/// One thing that readiness asks, in the background.
public struct ReadinessCheck: Sendable {
    /// The name in the answer of `/readyz`.
    public enum Name: String, CaseIterable, Sendable { case database, migrations, redis, enclave, jwks }
    /// What was found.
    public enum Verdict: String, Sendable { case ok, degraded }

    let name: Name
    let run: @Sendable () async -> Verdict

    /// A check; it is cut off after `Readiness.checkTimeout` and then counts as degraded.
    public init(_ name: Name, _ run: @escaping @Sendable () async -> Verdict) {
        self.name = name
        self.run = run
    }

    /// A check that is fine unless it throws.
    public static func succeeding(_ name: Name, _ run: @escaping @Sendable () async throws -> Void) -> ReadinessCheck {
        ReadinessCheck(name) {
            do {
                try await run()
                return .ok
            } catch {
                return .degraded
            }
        }
    }
}

/// Runs the checks every 5 seconds and remembers what they said; `/readyz` only reads that.
public final class Readiness: Service {
    static let interval = Duration.seconds(5)
    static let checkTimeout = Duration.seconds(3)

    /// Why a process should get no requests.
    public enum Refusal: Sendable { case draining, databaseUnavailable, schemaOutdated }

    private struct State {
        var verdicts: [ReadinessCheck.Name: ReadinessCheck.Verdict] = [:]
        var isDraining = false
    }

    private let checks: [ReadinessCheck]
    private let state = Mutex(State())

    /// Readiness by these checks.
    public init(_ checks: [ReadinessCheck]) { self.checks = checks }

    /// Repeats the checks until shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.refresh()
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    /// Runs every check once, side by side.
    public func refresh() async {
        await withTaskGroup(of: (ReadinessCheck.Name, ReadinessCheck.Verdict).self) { group in
            for check in checks {
                group.addTask {
                    let verdict = try? await withDeadline(Self.checkTimeout) { await check.run() }
                    return (check.name, verdict ?? .degraded)
                }
            }
            for await (name, verdict) in group where !Task.isCancelled {
                state.withLock { $0.verdicts[name] = verdict }
            }
        }
    }

    /// From now on `/readyz` says `draining`.
    public func beginDraining() { state.withLock { $0.isDraining = true } }

    /// Whether the end of this process has been announced.
    public var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Why this process should get no requests; nil when it should.
    public var refusal: Refusal? {
        state.withLock { state in
            if state.isDraining { return .draining }
            if state.verdicts[.database] == .degraded { return .databaseUnavailable }
            if state.verdicts[.migrations] == .degraded { return .schemaOutdated }
            return nil
        }
    }

    /// The verdict of every check, in the order of `ReadinessCheck.Name`; one that never ended counts as degraded.
    public var report: [(name: ReadinessCheck.Name, verdict: ReadinessCheck.Verdict)] {
        let verdicts = state.withLock { $0.verdicts }
        let known = Set(checks.map(\.name))
        return ReadinessCheck.Name.allCases.filter(known.contains).map { ($0, verdicts[$0] ?? .degraded) }
    }
}
