/// An operation did not end in time and was cancelled.
public struct DeadlineExceeded: Error, Equatable, Sendable {
    public init() {}
}

/// Runs `operation`, cancels it after `limit` and then throws `DeadlineExceeded`.
///
/// Returns only when `operation` has ended, so it must react to cancellation.
public func withDeadline<Result: Sendable>(
    _ limit: Duration, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw DeadlineExceeded() }
        return result
    }
}

/// `withDeadline` at an instant of the continuous clock.
public func withDeadline<Result: Sendable>(
    at instant: ContinuousClock.Instant, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withDeadline(instant - ContinuousClock.now, operation)
}
