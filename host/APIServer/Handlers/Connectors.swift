import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostStorage

/// GET `/v1/connectors` and DELETE `/v1/connectors/{connector_id}`.
struct Connectors: Sendable {
    let connectors: ConnectorRepository
    let enclave: any EnclavePort

    func list(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let items = try await stored(call) { () throws(StorageError) in try await connectors.list(of: user.uuid) }
        return .json(.object(["items": .array(items.map(Self.item))]))
    }

    /// Out of use first, then revoked at Google by the enclave, then REVOKED; after an error it stays REVOKING.
    func revoke(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let text = call.parameters["connector_id"] ?? ""
        guard let id = UUID(uuidString: text) else { throw APIError(.notFound) }
        let revoking = try await stored(call) { () throws(StorageError) in
            try await connectors.markRevoking(id, of: user.uuid)
        }
        guard let revoking else { throw APIError(.notFound) }
        guard revoking.provider == .google else { throw APIError(.unsupportedProvider) }
        var version = revoking.recordVersion
        do throws(EnclaveCallError) {
            let answer = try await enclave.revokeGoogle(
                user: user, connector: ConnectorID(id), context: call.enclaveContext)
            version = Int64(clamping: answer.recordVersion)
        } catch {
            // A tombstone means that an earlier try got this far: it is the record that was read above.
            guard error == .failed(EnclaveFailure(.recordRevoked)) else {
                call.note(error, during: "google.revoke")
                throw APIError(error, during: .revoke)
            }
        }
        let measurement = await enclave.attestedMeasurement
        let tombstone = version
        _ = try await finishing { () throws(APIError) in
            try await stored(call) { () throws(StorageError) in
                try await connectors.markRevoked(
                    id, of: user.uuid, version: tombstone, attestedMeasurement: measurement)
            }
        }
        return .json(.object(["status": .string(ConnectorStatus.revoked.rawValue)]))
    }

    private static func item(_ connector: Connector) -> JSONValue {
        .object([
            "connector_id": .string(connector.id.lowercased), "provider": .string(connector.provider.rawValue),
            "status": .string(connector.status.rawValue),
            "granted_scopes": .array(connector.scopes.map(JSONValue.string)),
            "connected_at": .string(connector.connectedAt.wholeSeconds),
        ])
    }
}
