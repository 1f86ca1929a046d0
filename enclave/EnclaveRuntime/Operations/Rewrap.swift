internal import EnclaveProtocol
internal import EnclaveVault

extension Operations {
    /// `data.rewrap`: seals host data anew under the active key version; each item fails or succeeds alone, and no
    /// plaintext leaves.
    func rewrapItems(_ request: DataItems, _ context: CallContext) -> DataResults {
        var results: [Result<[UInt8], EnclaveErrorCode>] = []
        results.reserveCapacity(request.items.count)
        for item in request.items {
            guard item.purpose != .connectorRefreshToken else {
                results.append(.failure(.roleNotAllowed))
                continue
            }
            do throws(VaultError) {
                let sealed = try vault.rewrapData(
                    purpose: item.purpose, user: item.user, recordID: item.recordID, recordVersion: item.recordVersion,
                    sealed: item.content, port: context.port)
                results.append(.success(sealed))
            } catch {
                if error == .sealedDataRejected { counters.sealedRejected(error.code.name) }
                results.append(.failure(error.code))
            }
        }
        return DataResults(results, keyVersion: vault.policy.activeVersion)
    }

    /// `connector.rewrap`: reads a connector's record, seals it anew under the active key version, and stores it like
    /// every other write of one.
    func rewrapConnector(_ request: ConnectorReference, _ context: CallContext) throws(EnclaveFailure)
        -> ConnectorRewrapAnswer
    {
        for _ in 0...Self.maximumRepeats {
            let found = try vaultCall { () throws(VaultError) in
                try vault.rewrap(user: request.user, connector: request.connector, port: context.port)
            }
            switch found {
            case .current(let version): return ConnectorRewrapAnswer(.current, recordVersion: version)
            case .rewrapped(let record):
                let outcome = try vaultCall { () throws(VaultError) in
                    try vault.put(record, user: request.user, connector: request.connector, port: context.port)
                }
                switch outcome {
                case .stored: return ConnectorRewrapAnswer(.rewrapped, recordVersion: record.recordVersion)
                case .refused: throw EnclaveFailure(.recordRefused)
                case .conflict: break
                }
            }
        }
        throw EnclaveFailure(.recordConflict)
    }

    /// `keys.status`: which key versions this enclave may use, and which are in memory.
    func keysStatus(_ request: EmptyMessage) -> KeysStatus {
        KeysStatus(
            keyID: vault.policy.keyID, activeVersion: vault.policy.activeVersion,
            decryptVersions: vault.policy.decryptVersions.sorted(), loadedVersions: vault.statistics.loadedKeyVersions)
    }
}
