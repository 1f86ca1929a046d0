public import HostRuntime
public import HostStorage
public import ServiceLifecycle

/// Deletes old rows every hour, in small statements with pauses between them.
public struct Retention: Service {
    static let interval = Duration.seconds(3600)
    /// Between two statements, so that live work comes first.
    static let pause = Duration.milliseconds(100)
    /// Most statements of one kind in one round: more than an hour makes.
    static let maximumBatches = 2000

    private let rows: RetentionRepository
    private let auditDays: Int
    private let log: HostLog

    public init(_ rows: RetentionRepository, auditDays: Int, log: HostLog) {
        self.rows = rows
        self.auditDays = auditDays
        self.log = log
    }

    /// Repeats until shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await round()
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    /// Deletes everything old; what fails is left for the next round.
    func round() async {
        for kind in RetentionRepository.Kind.allCases {
            var total = 0
            do throws(StorageError) {
                for _ in 0..<Self.maximumBatches {
                    let deleted = try await rows.delete(kind, auditDays: auditDays)
                    total += deleted
                    guard deleted == RetentionRepository.batch, !Task.isCancelled else { break }
                    try? await Task.sleep(for: Self.pause)
                }
            } catch {
                log.event("storage_failed", .warn, [LogField(.queue, "retention"), LogField(.reason, error.word)])
            }
            if total > 0 {
                log.event("old_rows_deleted", .info, [LogField(.table, kind.rawValue), LogField(.count, total)])
            }
        }
    }
}
