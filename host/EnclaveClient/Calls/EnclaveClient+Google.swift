public import EnclaveProtocol

extension EnclaveClient {
    /// Makes the authorisation URL and the sealed PKCE verifier of a new connection.
    public func beginGoogleConnect(
        _ request: GoogleConnectBegin, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleConnectBeginAnswer {
        try await call(.googleConnectBegin, request, context)
    }

    /// Exchanges the code at Google and stores the sealed refresh token through the record port.
    public func completeGoogleConnect(
        _ request: GoogleConnectComplete, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleConnectCompleteAnswer {
        let reference = ConnectorReference(user: request.user, connector: request.connector)
        return try await call(.googleConnectComplete, request, on: reference, context)
    }

    /// Makes sure that the enclave holds a current access token; the token stays there.
    public func refreshGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRefreshAnswer {
        let reference = ConnectorReference(user: user, connector: connector)
        return try await call(.googleRefresh, reference, on: reference, context)
    }

    /// Reads one resource at Google.
    public func getGoogle(
        user: UserID, connector: ConnectorID, resource: GoogleResource, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleGetAnswer {
        let reference = ConnectorReference(user: user, connector: connector)
        return try await call(
            .googleGet, GoogleGet(reference: reference, resource: resource), on: reference, context)
    }

    /// Revokes the grant at Google and stores the tombstone.
    public func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer {
        let reference = ConnectorReference(user: user, connector: connector)
        return try await call(.googleRevoke, reference, on: reference, context)
    }
}
