public import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
public import HostStorage

/// Seals every sealed column anew under the enclave's active key version, while everything else runs.
///
/// Each row is replaced only where its old bytes still are, so that nothing is lost whenever this ends: what was written
/// is under the new version, what was not is untouched, and the next run finds it.
public struct KeyRewrap: Sendable {
    /// Most rows of one batch.
    public static let batchRows = Limits.maximumSealItems
    /// Connectors that are re-sealed at the same time.
    static let connectorsAtOnce = 8
    /// Tries of one step while enclave or database are away.
    static let maximumTries = 8

    /// What is asked for.
    public struct Options: Sendable {
        /// Must be the enclave's active version.
        public var version: Int
        /// Go on where the last run to this version ended.
        public var resumes: Bool
        /// Most rows per second; nil: as fast as it goes.
        public var rowsPerSecond: Int?

        public init(version: Int, resumes: Bool = false, rowsPerSecond: Int? = nil) {
            self.version = version
            self.resumes = resumes
            self.rowsPerSecond = rowsPerSecond
        }
    }

    public enum Failure: Error, Equatable, Sendable {
        case storage(StorageError)
        case enclave(EnclaveCallError)
        /// The enclave seals under another version.
        case otherVersionActive(Int)
    }

    /// What became of one table.
    public struct TableResult: Encodable, Equatable, Sendable {
        public let table: String
        public var rewrapped = 0
        /// Rows that others changed or deleted meanwhile.
        public var changed = 0
        /// Rows that the enclave did not re-seal, by its reason.
        public var failed: [String: Int] = [:]
    }

    /// How far a table is.
    public struct Step: Sendable {
        public let table: SealedTable
        public let done: Int
        public let total: Int
        public let failed: Int
        public let isLast: Bool
    }

    let enclave: EnclaveClient
    let rows: KeyRotationRepository

    public init(enclave: EnclaveClient, rows: KeyRotationRepository) {
        self.enclave = enclave
        self.rows = rows
    }

    /// - Throws: unless the enclave's active version is `version`.
    public func requireActive(_ version: Int) async throws(Failure) {
        let status: KeysStatus
        do throws(EnclaveCallError) {
            status = try await enclave.keysStatus(context: Self.context())
        } catch {
            throw .enclave(error)
        }
        guard Int(status.activeVersion) == version else { throw .otherVersionActive(Int(status.activeVersion)) }
    }

    /// Re-seals all tables; `progress` gets every step.
    public func run(
        _ options: Options, progress: @Sendable (Step) -> Void
    ) async throws(Failure) -> [TableResult] {
        try await requireActive(options.version)
        var results: [TableResult] = []
        for table in SealedTable.allCases {
            results.append(try await run(table, options, progress))
        }
        return results
    }

    /// Rows per table and key version.
    public func uses() async throws(Failure) -> [KeyUse] {
        try await stored { () throws(StorageError) in try await rows.uses() }
    }

    private func run(
        _ table: SealedTable, _ options: Options, _ progress: @Sendable (Step) -> Void
    ) async throws(Failure) -> TableResult {
        let outdated = try await uses().filter { $0.table == table && $0.keyVersion != options.version }
        let lowest = outdated.map(\.keyVersion).min() ?? options.version
        var state = RewrapProgress(total: outdated.reduce(0) { $0 + $1.rows })
        if options.resumes,
            let saved = try await stored({ () throws(StorageError) in
                try await rows.progress(of: table, to: options.version)
            }), !saved.isDone
        {
            state = saved
        }
        var result = TableResult(table: table.rawValue)
        var pace = Pace(rowsPerSecond: options.rowsPerSecond)
        while true {
            let last = state.lastID
            let batch = try await stored { () throws(StorageError) in
                try await rows.rows(of: table, notUnder: options.version, after: last, atMost: pace.batch)
            }
            guard let end = batch.last?.id else { break }
            try await rewrap(batch, of: table, options.version, &result)
            state.lastID = end
            state.done += batch.count
            state.failed = result.failed.values.reduce(0, +)
            try await save(state, table, lowest, options.version)
            progress(Self.step(table, state, isLast: false))
            await pace.wait(after: batch.count)
        }
        state.isDone = true
        try await save(state, table, lowest, options.version)
        progress(Self.step(table, state, isLast: true))
        return result
    }

    private func rewrap(
        _ batch: [SealedRow], of table: SealedTable, _ version: Int, _ result: inout TableResult
    ) async throws(Failure) {
        if table.isThroughRecordPort {
            try await rewrapConnectors(batch, &result)
        } else if let purpose = table.purpose {
            for part in Self.parts(batch) { try await rewrap(part, of: table, purpose, version, &result) }
        }
    }

    private func rewrap(
        _ batch: [SealedRow], of table: SealedTable, _ purpose: DataPurpose, _ version: Int,
        _ result: inout TableResult
    ) async throws(Failure) {
        let items = batch.map { row in
            DataItem(
                purpose: purpose, user: UserID(row.user), recordID: row.recordID,
                recordVersion: UInt64(max(0, row.recordVersion)), content: row.sealed)
        }
        let answer = try await called { () throws(EnclaveCallError) in
            try await enclave.rewrap(items, context: Self.context())
        }
        // A newer enclave may have taken over in between: what it sealed is not under `version`.
        guard Int(answer.keyVersion) == version else { throw .otherVersionActive(Int(answer.keyVersion)) }
        var resealed: [(row: SealedRow, sealed: [UInt8])] = []
        for (row, outcome) in zip(batch, answer.results) {
            switch outcome {
            case .success(let sealed): resealed.append((row, sealed))
            case .failure(let code): result.failed[code.name, default: 0] += 1
            }
        }
        guard !resealed.isEmpty else { return }
        let replacements = resealed
        let written = try await stored { () throws(StorageError) in
            try await rows.replace(in: table, replacements, keyVersion: version)
        }
        result.rewrapped += written
        result.changed += resealed.count - written
    }

    private func save(
        _ state: RewrapProgress, _ table: SealedTable, _ lowest: Int, _ version: Int
    ) async throws(Failure) {
        try await stored { () throws(StorageError) in
            try await rows.save(state, of: table, from: lowest, to: version)
        }
    }

    private static func step(_ table: SealedTable, _ state: RewrapProgress, isLast: Bool) -> Step {
        Step(
            table: table, done: state.done, total: max(state.total, state.done), failed: state.failed, isLast: isLast)
    }

    static func context() -> CallContext { CallContext(requestID: "rewrap-\(UUID().uuidString.lowercased())") }
}
