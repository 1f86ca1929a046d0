import EnclaveProtocol
import FoundationEssentials
import HostStorage

/// POST `/v1/privacy/delete-all` and GET `/v1/privacy/delete-all/{request_id}`: asked here, done by the worker.
struct PrivacyDelete: Sendable {
    let requests: PrivacyRequestRepository

    func request(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let id = try await stored(call) { () throws(StorageError) in try await requests.open(for: user.uuid) }
        return .json(
            .object([
                "request_id": .string(id.lowercased), "status": .string(PrivacyRequestStatus.queued.rawValue),
            ]))
    }

    /// Also answered to a user whose account is gone: nobody else can tell how it ended.
    func status(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        guard let id = UUID(uuidString: call.parameters["request_id"] ?? "") else { throw APIError(.notFound) }
        let found = try await stored(call) { () throws(StorageError) in try await requests.find(id, of: user.uuid) }
        guard let found else { throw APIError(.notFound) }
        return .json(
            .object([
                "request_id": .string(found.id.lowercased), "status": .string(found.status.rawValue),
                "unrevoked_connectors": .integer(found.unrevokedConnectors),
                "created_at": .string(found.createdAt.wholeSeconds),
                "started_at": .optional(found.startedAt?.wholeSeconds),
                "completed_at": .optional(found.completedAt?.wholeSeconds),
                "failed_at": .optional(found.failedAt?.wholeSeconds),
            ]))
    }
}
