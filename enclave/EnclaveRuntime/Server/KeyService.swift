public import EnclaveProtocol
public import EnclaveVault

/// Key management that needs credentials of a host first, and opens the secrets of the configuration with them.
public protocol KeyService: KeyManagement {
    /// Called once before anything is served; `opened` is to be called once, from any thread, as soon as every
    /// `ConfiguredSecret` is open and data keys can be had. Until then the enclave is `starting`.
    func begin(opened: @escaping @Sendable () -> Void)

    /// Runs `kms.credentials`; `session` tells the offering sessions apart. May block until the call's deadline.
    func offer(_ credentials: KMSCredentials, session: UInt64) throws(EnclaveFailure) -> KMSCredentialsAnswer
}
