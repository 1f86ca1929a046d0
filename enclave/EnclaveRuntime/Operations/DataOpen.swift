internal import EnclaveProtocol
internal import EnclaveVault

extension Operations {
    /// `data.open`: opens host data for the roles of its purpose, within the limit of each owner.
    func open(_ request: DataItems, _ context: CallContext) throws(EnclaveFailure) -> DataResults {
        var results: [Result<[UInt8], EnclaveErrorCode>] = []
        results.reserveCapacity(request.items.count)
        for item in request.items {
            results.append(openItem(item, context))
        }
        return DataResults(results, keyVersion: vault.policy.activeVersion)
    }

    private func openItem(_ item: DataItem, _ context: CallContext) -> Result<[UInt8], EnclaveErrorCode> {
        guard item.purpose.openers.contains(context.role) else { return .failure(.roleNotAllowed) }
        guard opensLimiter.take(of: item.user) else {
            counters.userLimited("data.open")
            return .failure(.overloaded)
        }
        do throws(VaultError) {
            return .success(
                try vault.openData(
                    purpose: item.purpose, user: item.user, recordID: item.recordID, recordVersion: item.recordVersion,
                    sealed: item.content, port: context.port))
        } catch {
            if error == .sealedDataRejected { counters.sealedRejected(error.code.name) }
            return .failure(error.code)
        }
    }
}
