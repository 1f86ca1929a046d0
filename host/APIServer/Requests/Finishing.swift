/// Ends what was begun although the request's own time is over: what happened elsewhere must be written down.
///
/// Every step of `work` has its own time limit.
func finishing<Value: Sendable>(
    _ work: @escaping @Sendable () async throws(APIError) -> Value
) async throws(APIError) -> Value {
    let ended = Task { () async -> Result<Value, APIError> in
        do throws(APIError) { return .success(try await work()) } catch { return .failure(error) }
    }
    return try await ended.value.get()
}
