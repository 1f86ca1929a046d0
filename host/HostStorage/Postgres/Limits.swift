/// Bounds of the storage layer, with their reasons.
enum StorageLimits {
    /// Reads under way on one shared connection; more gains nothing, measured.
    static let pipelineDepth = 64
    /// Calls waiting for a connection; beyond it a caller is refused at once.
    static let waitingCalls = 4096
    /// Named statements per connection; there are fewer statements than this, the rest would run unnamed.
    static let preparedStatements = 256
    /// Rows and bytes of one answer are bounded by each statement's LIMIT; this is the last line of defence.
    static let answerBytes = 64 * 1024 * 1024
    /// Pause before the first reconnect and the longest one.
    static let firstBackOff = Duration.milliseconds(100)
    static let longestBackOff = Duration.seconds(2)
    /// How late the server may be after a statement's timeout before its connection counts as dead.
    static let serverGrace = Duration.seconds(2)
    /// How often deadlines are looked at.
    static let deadlineResolution = Duration.milliseconds(20)
    /// Stack of a helper thread, bytes.
    static let threadStack = 512 * 1024
}
