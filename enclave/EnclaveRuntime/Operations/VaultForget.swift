internal import EnclaveProtocol

extension Operations {
    /// `vault.forget`: drops a user's cached access tokens; what is known of record versions stays.
    func forget(_ request: VaultForget) -> EmptyMessage {
        cache.drop(user: request.user)
        return EmptyMessage()
    }
}
