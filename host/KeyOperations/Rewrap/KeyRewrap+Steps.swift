import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage

extension KeyRewrap {
    /// Connectors change under the enclave's version memory only: one call each, several at a time.
    func rewrapConnectors(_ batch: [SealedRow], _ result: inout TableResult) async throws(Failure) {
        var start = batch.startIndex
        while start < batch.endIndex {
            let part = batch[start..<min(start + Self.connectorsAtOnce, batch.endIndex)]
            start = part.endIndex
            let outcomes = await withTaskGroup(of: Result<Bool, Failure>.self) { group in
                for row in part { group.addTask { await rewrapConnector(row) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for outcome in outcomes {
                switch outcome {
                case .success(let isRewrapped): if isRewrapped { result.rewrapped += 1 } else { result.changed += 1 }
                case .failure(.enclave(.failed(let failure))): result.failed[failure.code.name, default: 0] += 1
                case .failure(let failure): throw failure
                }
            }
        }
    }

    /// - Returns: false where another write was there first, or the row is gone.
    private func rewrapConnector(_ row: SealedRow) async -> Result<Bool, Failure> {
        guard let connector = UUID(uuidString: row.recordID) else { return .success(false) }
        do throws(Failure) {
            let answer = try await called { () throws(EnclaveCallError) in
                try await enclave.rewrapConnector(
                    user: UserID(row.user), connector: ConnectorID(connector), context: Self.context())
            }
            return .success(answer.outcome == .rewrapped)
        } catch {
            // Deleted meanwhile, or its user is being deleted.
            let gone: [Failure] = [.recordMissing, .recordRefused].map { .enclave(.failed(EnclaveFailure($0))) }
            return gone.contains(error) ? .success(false) : .failure(error)
        }
    }

    /// Batches whose sealed bytes fit one call; one row that does not fit stands alone and is refused.
    static func parts(_ batch: [SealedRow]) -> [[SealedRow]] {
        var parts: [[SealedRow]] = []
        var bytes = 0
        for row in batch {
            if let last = parts.indices.last, bytes + row.sealed.count <= Limits.maximumSealBytes {
                parts[last].append(row)
                bytes += row.sealed.count
            } else {
                parts.append([row])
                bytes = row.sealed.count
            }
        }
        return parts
    }

    // MARK: - Tries

    /// Repeats a call of the enclave while it is away or busy.
    func called<Answer>(
        _ body: () async throws(EnclaveCallError) -> Answer
    ) async throws(Failure) -> Answer {
        try await tried { () throws(Failure) in
            do throws(EnclaveCallError) {
                return try await body()
            } catch {
                throw .enclave(error)
            }
        }
    }

    /// Repeats a statement while the database is away.
    func stored<Answer>(_ body: () async throws(StorageError) -> Answer) async throws(Failure) -> Answer {
        try await tried { () throws(Failure) in
            do throws(StorageError) {
                return try await body()
            } catch {
                throw .storage(error)
            }
        }
    }

    private func tried<Answer>(_ body: () async throws(Failure) -> Answer) async throws(Failure) -> Answer {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
        for _ in 1..<Self.maximumTries {
            do throws(Failure) {
                return try await body()
            } catch {
                guard error.mayPass, !Task.isCancelled else { throw error }
                try? await Task.sleep(for: backoff.next())
            }
        }
        return try await body()
    }
}

extension KeyRewrap.Failure {
    /// Whether another try may succeed.
    fileprivate var mayPass: Bool {
        switch self {
        case .storage(.unavailable), .storage(.timeout), .enclave(.unreachable), .enclave(.timedOut): true
        case .enclave(.failed(let failure)):
            [.overloaded, .draining, .recordConflict, .recordPortFailed, .keyStoreFailed].contains(failure.code)
        default: false
        }
    }
}

/// Spreads rows over time.
struct Pace {
    private let rowsPerSecond: Int?
    private let start = ContinuousClock.now
    private var rows = 0

    init(rowsPerSecond: Int?) { self.rowsPerSecond = rowsPerSecond.map { max(1, $0) } }

    /// Rows of the next batch: at most those of a second.
    var batch: Int { min(KeyRewrap.batchRows, rowsPerSecond ?? KeyRewrap.batchRows) }

    /// Waits until `count` further rows were due.
    mutating func wait(after count: Int) async {
        guard let rowsPerSecond else { return }
        rows += count
        let due = start + .seconds(Double(rows) / Double(rowsPerSecond))
        try? await Task.sleep(until: due, clock: .continuous)
    }
}

extension SealedTable {
    /// What `data.rewrap` is told about a row; nil for what goes through the record port.
    var purpose: DataPurpose? {
        switch self {
        case .devices: .deviceAPNsToken
        case .oauthStates: .oauthPKCEVerifier
        case .jobs, .deadLetterJobs: .jobPayload
        case .pushOutbox: .pushPayload
        case .assistantSessions: .assistantMemory
        case .idempotentAnswers: .apiAnswer
        case .connectors, .pendingRevocations: nil
        }
    }
}
