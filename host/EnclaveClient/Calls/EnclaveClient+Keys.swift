public import EnclaveProtocol

extension EnclaveClient {
    /// Key versions that the enclave may use; for the operator.
    public func keysStatus(context: CallContext) async throws(EnclaveCallError) -> KeysStatus {
        try await call(.keysStatus, EmptyMessage(), context)
    }

    /// Seals 1–256 sealed items of at most 1 MiB together anew under the active key; each succeeds or fails alone.
    public func rewrap(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        let size = items.reduce(0) { $0 + $1.content.count }
        guard (1...Limits.maximumSealItems).contains(items.count), size <= Limits.maximumSealBytes else {
            throw .failed(EnclaveFailure(.malformedRequest))
        }
        let results: DataResults = try await call(.dataRewrap, DataItems(items), context)
        guard results.results.count == items.count else { throw .answerInvalid }
        return results
    }

    /// Lets the enclave seal a connector's record anew, through the record port.
    public func rewrapConnector(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> ConnectorRewrapAnswer {
        let reference = ConnectorReference(user: user, connector: connector)
        return try await call(.connectorRewrap, reference, on: reference, context)
    }
}
