/// Runs a transaction again when another one was in its way, at most `tries` times in all.
func repeating<Value: Sendable>(
    _ tries: Int, _ body: () async throws(StorageError) -> Value
) async throws(StorageError) -> Value {
    for _ in 1..<tries {
        do {
            return try await body()
        } catch {
            switch error {
            case .unique, .conflict: continue
            default: throw error
            }
        }
    }
    return try await body()
}
