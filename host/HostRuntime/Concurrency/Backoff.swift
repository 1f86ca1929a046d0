/// Waits that double from `first` to `cap`, each drawn evenly from [half, full].
public struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    private var full: Duration

    public init(first: Duration, cap: Duration) {
        self.first = min(first, cap)
        self.cap = cap
        full = self.first
    }

    /// Begins again, after a success.
    public mutating func reset() {
        full = first
    }

    /// The next wait.
    public mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// The next wait with the chance of `generator`.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let wait = full * Double.random(in: 0.5...1, using: &generator)
        full = min(full * 2, cap)
        return wait
    }
}
