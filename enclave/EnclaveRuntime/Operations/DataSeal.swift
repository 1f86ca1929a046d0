internal import EnclaveProtocol
internal import EnclaveVault

extension Operations {
    /// `data.seal`: seals host data, each item for its purpose, owner and row; each fails or succeeds alone.
    func seal(_ request: DataItems, _ context: CallContext) throws(EnclaveFailure) -> DataResults {
        var results: [Result<[UInt8], EnclaveErrorCode>] = []
        results.reserveCapacity(request.items.count)
        for item in request.items {
            guard item.purpose.sealers.contains(context.role) else {
                results.append(.failure(.roleNotAllowed))
                continue
            }
            do throws(VaultError) {
                let sealed = try vault.sealData(
                    purpose: item.purpose, user: item.user, recordID: item.recordID, recordVersion: item.recordVersion,
                    plaintext: item.content, port: context.port)
                results.append(.success(sealed))
            } catch {
                results.append(.failure(error.code))
            }
        }
        return DataResults(results, keyVersion: vault.policy.activeVersion)
    }
}
