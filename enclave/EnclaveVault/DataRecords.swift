public import EnclaveProtocol

extension TokenVault {
    /// Seals a value of the host, bound to its purpose, owner, row and version; allocates no locked memory.
    public func sealData(
        purpose: DataPurpose, user: UserID, recordID: String, recordVersion: UInt64, plaintext: [UInt8],
        port: some RecordPort
    ) throws(VaultError) -> [UInt8] {
        let context = try hostContext(purpose, user, recordID, recordVersion)
        guard plaintext.count <= Limits.maximumSealBytes else { throw .sealedDataRejected }
        let key = try keys.key(policy.activeVersion, port: port)
        return unsafe plaintext.withUnsafeBytes { plaintext in
            unsafe Sealer.seal(plaintext, context: context, policy: policy, key: key)
        }
    }

    /// Opens a value of the host under exactly the context it was sealed in; allocates no locked memory.
    public func openData(
        purpose: DataPurpose, user: UserID, recordID: String, recordVersion: UInt64, sealed: [UInt8],
        port: some RecordPort
    ) throws(VaultError) -> [UInt8] {
        let context = try hostContext(purpose, user, recordID, recordVersion)
        guard sealed.count <= Limits.maximumSealBytes + SealedHeader.overhead else { throw .sealedDataRejected }
        let header = try SealedHeader(sealed, policy: policy, context: context)
        let key = try keys.key(header.keyVersion, port: port)
        var failure: VaultError?
        let plaintext = unsafe [UInt8](unsafeUninitializedCapacity: sealed.count - SealedHeader.overhead) {
            buffer, filled in
            let output = unsafe UnsafeMutableRawBufferPointer(
                start: buffer.baseAddress, count: sealed.count - SealedHeader.overhead)
            do throws(VaultError) {
                try unsafe Sealer.open(
                    sealed, header: header, context: context, policy: policy, key: key, into: output)
                filled = output.count
            } catch {
                failure = error
                filled = 0
            }
        }
        if let failure { throw failure }
        return plaintext
    }

    /// Seals a value anew under the active key, with every other binding as it was; the plaintext stays here.
    ///
    /// Connectors' records are not for this: they change under the version memory only, see `rewrap`.
    public func rewrapData(
        purpose: DataPurpose, user: UserID, recordID: String, recordVersion: UInt64, sealed: [UInt8],
        port: some RecordPort
    ) throws(VaultError) -> [UInt8] {
        guard purpose != .connectorRefreshToken,
            sealed.count <= Limits.maximumSealBytes + SealedHeader.overhead
        else { throw .sealedDataRejected }
        let context = SealContext(purpose: purpose, owner: user, recordID: recordID, recordVersion: recordVersion)
        return try unsafe open(sealed, context: context, port: port) { plaintext throws(VaultError) in
            try unsafe seal(plaintext, context: context, port: port)
        }
    }

    /// Refuses the purposes that only the enclave seals and opens, whatever the caller above checked.
    private func hostContext(
        _ purpose: DataPurpose, _ user: UserID, _ recordID: String, _ recordVersion: UInt64
    ) throws(VaultError) -> SealContext {
        guard !purpose.sealers.isEmpty, !purpose.openers.isEmpty else { throw .sealedDataRejected }
        return SealContext(purpose: purpose, owner: user, recordID: recordID, recordVersion: recordVersion)
    }
}
