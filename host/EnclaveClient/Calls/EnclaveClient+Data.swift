public import EnclaveProtocol

extension EnclaveClient {
    /// Seals 1–256 items of at most 1 MiB together; each succeeds or fails alone, in the order of `items`.
    public func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        try await data(.dataSeal, items, context)
    }

    /// Opens 1–256 items of at most 1 MiB together; each succeeds or fails alone, in the order of `items`.
    public func open(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        try await data(.dataOpen, items, context)
    }

    /// Seals one item.
    ///
    /// - Returns: the sealed bytes and the version of the data key that sealed them.
    public func seal(
        _ item: DataItem, context: CallContext
    ) async throws(EnclaveCallError) -> (sealed: [UInt8], keyVersion: UInt32) {
        let results = try await seal([item], context: context)
        return (try only(results), results.keyVersion)
    }

    /// Opens one item.
    public func open(_ item: DataItem, context: CallContext) async throws(EnclaveCallError) -> [UInt8] {
        try only(try await open([item], context: context))
    }

    /// Drops the access tokens of a user that the enclave holds.
    public func forget(user: UserID, context: CallContext) async throws(EnclaveCallError) {
        let _: EmptyMessage = try await call(.vaultForget, VaultForget(user: user), context)
    }

    /// Reads the enclave's counters.
    public func metrics(context: CallContext) async throws(EnclaveCallError) -> EnclaveMetrics {
        try await call(.metrics, EmptyMessage(), context)
    }

    private func data(
        _ method: Method, _ items: [DataItem], _ context: CallContext
    ) async throws(EnclaveCallError) -> DataResults {
        let size = items.reduce(0) { $0 + $1.content.count }
        guard (1...Limits.maximumSealItems).contains(items.count), size <= Limits.maximumSealBytes else {
            throw .failed(EnclaveFailure(.malformedRequest))
        }
        let results: DataResults = try await call(method, DataItems(items), context)
        guard results.results.count == items.count else { throw .answerInvalid }
        return results
    }

    private func only(_ results: DataResults) throws(EnclaveCallError) -> [UInt8] {
        switch results.results.first {
        case .success(let bytes): return bytes
        case .failure(let code): throw .failed(EnclaveFailure(code))
        case nil: throw .answerInvalid
        }
    }
}
