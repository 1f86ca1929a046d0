/// Why the local system, or a step of its story, failed; the text is for the person at the terminal.
public struct StackError: Error, CustomStringConvertible, Sendable {
    /// One or more readable lines.
    public let description: String
    /// When the service asked to be asked again.
    public let retryAfter: Duration?

    /// A failure with its reason.
    public init(_ description: String, retryAfter: Duration? = nil) {
        self.description = description
        self.retryAfter = retryAfter
    }
}

/// Repeats `probe` every 20 ms until it gives a value; a failure that says when to come again is heeded, because whoever
/// asks on uses up the limit that refused it.
///
/// - Throws: `StackError` naming `what` after `limit`.
public func eventually<Value: Sendable>(
    _ what: String, within limit: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
    _ probe: () async throws -> Value?
) async throws -> Value {
    let end = ContinuousClock.now.advanced(by: limit)
    var last: (any Error)?
    while ContinuousClock.now < end {
        do {
            if let value = try await probe() { return value }
            last = nil
        } catch let error as CancellationError {
            throw error
        } catch { last = error }
        let wish = (last as? StackError)?.retryAfter ?? .zero
        try await Task.sleep(for: max(.milliseconds(20), min(wish, end - .now)))
    }
    throw StackError("\(what) did not happen within \(limit)" + (last.map { ": \($0)" } ?? ""))
}
