internal import EnclaveProtocol
internal import EnclaveVault

extension Operations {
    /// Times a write is repeated after another writer was faster.
    static let maximumRepeats = 2

    /// `google.revoke`: ends the grant at Google, then replaces the record with a tombstone.
    ///
    /// A record that was put meanwhile holds a newer token, which is revoked too.
    func revoke(_ request: ConnectorReference, _ context: CallContext) throws(EnclaveFailure) -> GoogleRevokeAnswer {
        var opened = try vaultCall(of: request) { () throws(VaultError) in
            try vault.open(user: request.user, connector: request.connector, port: context.port)
        }
        var outcome: GoogleRevokeAnswer.Outcome?
        for _ in 0...Self.maximumRepeats {
            let said = try endpoint.revoke(opened.token)
            if outcome == nil || said == .revoked { outcome = said }
            cache.drop(request)
            let version = opened.recordVersion + 1
            let tombstone = try vaultCall { () throws(VaultError) in
                try vault.sealTombstone(
                    user: request.user, connector: request.connector, recordVersion: version,
                    port: context.lastingPort)
            }
            switch try writer.put(tombstone, request, context.lastingPort) {
            case .stored: return GoogleRevokeAnswer(outcome: outcome ?? said, recordVersion: version)
            case .refused: throw EnclaveFailure(.recordRefused)
            case .conflict: break
            }
            switch try current(request, context.lastingPort) {
            case .tombstone(let version):
                return GoogleRevokeAnswer(outcome: outcome ?? said, recordVersion: version)
            case .connected(let newer): opened = newer
            }
        }
        throw EnclaveFailure(.recordConflict)
    }

    /// The record as it is now, a tombstone too.
    func current(
        _ reference: ConnectorReference, _ port: any RecordPort
    ) throws(EnclaveFailure) -> ConnectorRecord {
        try vaultCall { () throws(VaultError) in
            try vault.openIncludingTombstone(user: reference.user, connector: reference.connector, port: port)
        }
    }
}
