import Synchronization

/// A pool of Postgres connections for async callers; one thread of its own does all the talking.
///
/// Reads share pipelined connections, writes and transactions have one to themselves. Calls fail at once while Postgres
/// is away and work again by themselves when it is back. The pool ends with its last owner or by `shutdown`.
public final class PostgresPool: Sendable {
    public let configuration: PostgresConfiguration
    private let loop: PostgresLoop
    private let callsInProgress = Atomic(0)

    /// Calls and transactions that use a connection or wait for one.
    public var inUse: Int { callsInProgress.load(ordering: .relaxed) }

    /// Statements, and connections lent to transactions, since the start.
    var callsBegun: UInt64 { loop.lastID }

    public init(_ configuration: PostgresConfiguration) {
        self.configuration = configuration
        loop = PostgresLoop(configuration)
        loop.start()
    }

    deinit { loop.post(.stop) }

    /// Ends every call with `.unavailable` and closes the connections.
    public func shutdown() { loop.post(.stop) }

    /// Runs one statement outside any transaction.
    func query(_ statement: Statement, _ parameters: [SQLValue] = []) async throws(StorageError) -> Rows {
        callsInProgress.add(1, ordering: .relaxed)
        defer { callsInProgress.subtract(1, ordering: .relaxed) }
        return try await run(statement, parameters, on: .pool)
    }

    /// Runs `body` in one transaction: committed when it returns, rolled back when it throws or its task is cancelled.
    ///
    /// Within `body` only the given transaction may be used; a call of the pool there would take a second connection.
    func withTransaction<Value: Sendable>(
        _ body: @Sendable (Transaction) async throws(StorageError) -> Value
    ) async throws(StorageError) -> Value {
        callsInProgress.add(1, ordering: .relaxed)
        defer { callsInProgress.subtract(1, ordering: .relaxed) }
        let lease = try await acquire()
        let transaction = Transaction(pool: self, lease: lease)
        do {
            try await transaction.query(.write("begin"))
            let value = try await body(transaction)
            try await transaction.commit()
            loop.post(.release(lease, healthy: true))
            return value
        } catch {
            await rollBack(transaction, after: error)
            throw error
        }
    }

    private func rollBack(_ transaction: Transaction, after error: StorageError) async {
        switch error {
        case .unavailable, .timeout, .cancelled:
            loop.post(.release(transaction.lease, healthy: false))
        default:
            let rolledBack = (try? await transaction.query(.write("rollback"))) != nil
            loop.post(.release(transaction.lease, healthy: rolledBack))
        }
    }

    fileprivate func run(
        _ statement: Statement, _ parameters: [SQLValue], on target: PostgresLoop.Target
    ) async throws(StorageError) -> Rows {
        let encoded = EncodedParameters(parameters)
        let id = loop.nextID()
        let deadline = Instant.now.advanced(by: configuration.statementTimeout)
        return try await withTaskCancellationHandler {
            guard !Task.isCancelled else { return Result<Rows, StorageError>.failure(.cancelled) }
            return await withCheckedContinuation { continuation in
                let request = PostgresLoop.Request(
                    id: id, statement: statement, parameters: encoded, target: target, deadline: deadline,
                    continuation: continuation)
                post(.run(request), id) { continuation.resume(returning: .failure(.unavailable)) }
            }
        } onCancel: {
            loop.post(.cancel(id))
        }.get()
    }

    /// Posts a call. A cancellation that came before the loop knew the call is repeated, so that it is not missed.
    private func post(_ command: PostgresLoop.Command, _ id: UInt64, otherwise refuse: () -> Void) {
        guard loop.post(command) else { return refuse() }
        if Task.isCancelled { loop.post(.cancel(id)) }
    }

    private func acquire() async throws(StorageError) -> PostgresLoop.Lease {
        let id = loop.nextID()
        let deadline = Instant.now.advanced(by: configuration.statementTimeout)
        return try await withTaskCancellationHandler {
            guard !Task.isCancelled else { return Result<PostgresLoop.Lease, StorageError>.failure(.cancelled) }
            return await withCheckedContinuation { continuation in
                let acquisition = PostgresLoop.Acquisition(id: id, deadline: deadline, continuation: continuation)
                post(.acquire(acquisition), id) { continuation.resume(returning: .failure(.unavailable)) }
            }
        } onCancel: {
            loop.post(.cancel(id))
        }.get()
    }
}

/// One open transaction, valid inside the closure it was given to.
struct Transaction: Sendable {
    fileprivate let pool: PostgresPool
    fileprivate let lease: PostgresLoop.Lease

    @discardableResult
    func query(_ statement: Statement, _ parameters: [SQLValue] = []) async throws(StorageError) -> Rows {
        try await pool.run(statement, parameters, on: .held(lease))
    }

    fileprivate func commit() async throws(StorageError) {
        // A body that swallowed an error leaves a transaction that can only be rolled back.
        guard try await !query(.write("commit")).isRollback else { throw .unexpected(sqlstate: "25P02") }
    }
}
