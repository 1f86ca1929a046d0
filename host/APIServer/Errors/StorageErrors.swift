import HostRuntime
import HostStorage

extension APIError {
    /// What a failed storage call is answered with.
    init(_ error: StorageError) {
        switch error {
        case .unavailable, .timeout, .conflict: self.init(.databaseUnavailable)
        case .cancelled: self.init(.requestTimeout)
        case .userDeleted: self.init(.accountDeleted)
        case .schemaOutdated: self.init(.schemaOutdated, retryAfterSeconds: 5)
        case .unique, .unexpected: self.init(.internalError)
        }
    }
}

/// Runs a storage call; a failure that is a defect is logged by its SQLSTATE.
func stored<Value>(
    _ call: APICall, _ body: () async throws(StorageError) -> Value
) async throws(APIError) -> Value {
    try await stored(call.log, body)
}

/// The same where there is no call yet.
func stored<Value>(
    _ log: HostLog, _ body: () async throws(StorageError) -> Value
) async throws(APIError) -> Value {
    do throws(StorageError) {
        return try await body()
    } catch {
        switch error {
        case .unexpected(let state): log.storageDefect(state)
        case .unique(let constraint): log.storageDefect(constraint)
        default: break
        }
        throw APIError(error)
    }
}
