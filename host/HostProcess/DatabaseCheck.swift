public import HostStorage

/// Whether Postgres answers and has every migration of this release, with a reason that a person can mend.
public struct DatabaseCheck: Sendable {
    public enum Failure: Error, Sendable {
        /// It does not answer; the problem is found by a second attempt, `nil` when that one works.
        case database(StorageError, ConnectProblem?)
        /// It answers, but not with this release's schema.
        case schema(StorageError)
    }

    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Asks once for each.
    public func run() async throws(Failure) {
        let checks = HealthChecks(pool)
        do throws(StorageError) {
            try await checks.database()
        } catch {
            throw .database(error, await ConnectProblem.find(pool.configuration))
        }
        do throws(StorageError) {
            try await checks.migrations()
        } catch {
            throw .schema(error)
        }
    }
}
