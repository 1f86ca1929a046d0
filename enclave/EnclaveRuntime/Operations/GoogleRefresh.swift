internal import AttestedSession
internal import EnclaveProtocol
internal import EnclaveVault

extension Operations {
    /// `google.refresh`: makes sure that there is an access token; it stays here, its life is told.
    func refresh(_ request: ConnectorReference, _ context: CallContext) throws(EnclaveFailure) -> OperationResult {
        guard let token = try accessToken(request, context) else { return .parked }
        let seconds = token.expiresAt.milliseconds(after: .now) / 1000
        return .answer(
            GoogleRefreshAnswer(expiresInSeconds: UInt32(clamping: seconds), recordVersion: token.recordVersion))
    }

    /// Opens the record and finds or refreshes a token; nil when the call was parked behind a refresh under way.
    func accessToken(_ reference: ConnectorReference, _ context: CallContext) throws(EnclaveFailure) -> AccessTokenCache
        .Token?
    {
        for _ in 0..<3 {
            // Read and opened each time, cached token or not: the record alone says whether this may go on.
            let state = try vaultCall(of: reference) { () throws(VaultError) in
                try vault.check(user: reference.user, connector: reference.connector, port: context.port)
            }
            switch try broker.access(reference, state.recordVersion, context.lastingPort, resume: context.resume) {
            case .token(let token): return token
            case .joined: return nil
            case .outdated: continue
            }
        }
        throw EnclaveFailure(.recordConflict)
    }
}
