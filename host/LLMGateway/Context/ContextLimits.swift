/// How much of what was read is shown to a model; lengths in Unicode scalars.
enum ContextLimits {
    /// Version of all contexts.
    static let version = "2026-02-15"

    static let meetings = 20
    static let mail = 20
    static let attendees = 50
    static let labels = 8
    static let reference = 80
    /// Titles, subjects and senders.
    static let title = 120
    static let snippet = 280
    static let label = 32
    static let query = 280
    static let turns = 6
}
