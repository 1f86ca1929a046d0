internal import EnclaveProtocol
internal import EnclaveVault
internal import Sodium

extension Operations {
    /// Age at which a sealed verifier is no longer taken, in seconds.
    private static let verifierSeconds: UInt64 = 3600

    /// `google.connect.complete`: exchanges the code, checks what came, and seals the refresh token away.
    ///
    /// Runs to its end whatever becomes of the caller: Google answers a code only once.
    func connectComplete(
        _ request: GoogleConnectComplete, _ context: CallContext
    ) throws(EnclaveFailure) -> GoogleConnectCompleteAnswer {
        let reference = ConnectorReference(user: request.user, connector: request.connector)
        let opened = try vaultCall { () throws(VaultError) in
            try vault.openVerifier(
                request.sealedVerifier, user: request.user, state: request.stateID, port: context.port)
        }
        guard wallClock() <= opened.issuedAt + Self.verifierSeconds,
            opened.stateHash == Hash.sha256(Array(request.state.utf8))
        else { throw EnclaveFailure(.sealedDataRejected) }
        // Read before the code is spent, so that a record or key that cannot be had costs the user nothing.
        let known = try existing(reference, context.port)
        try vaultCall { () throws(VaultError) in try vault.warmUp(port: context.port) }
        let answer = try endpoint.exchange(code: request.code, verifier: opened.verifier)
        guard let accountHash = answer.accountHash else { throw EnclaveFailure(.providerResponseInvalid) }
        guard let token = answer.refreshToken else { throw EnclaveFailure(.refreshTokenMissing) }
        let scopes = answer.scopes.filter { $0 != "openid" }
        guard !Set(scopes).isDisjoint(with: Self.scopes) else {
            _ = try? endpoint.revoke(token)
            throw EnclaveFailure(.scopesInsufficient)
        }
        let stored = try store(token, accountHash, over: known, reference, context.lastingPort)
        cache.store(
            answer.accessToken, for: reference, recordVersion: stored.version, seconds: answer.expiresInSeconds)
        return GoogleConnectCompleteAnswer(
            scopes: Array(scopes.prefix(32)), recordVersion: stored.version, accountChanged: stored.accountChanged)
    }

    /// The record that is to be replaced; nil where there is none.
    private func existing(
        _ reference: ConnectorReference, _ port: any RecordPort
    ) throws(EnclaveFailure) -> ConnectorRecord? {
        do throws(EnclaveFailure) {
            return try current(reference, port)
        } catch {
            guard error.code == .recordMissing else { throw error }
            return nil
        }
    }

    /// Writes over whatever is there; a token of another account is revoked before it is replaced.
    private func store(
        _ token: borrowing SecretBytes, _ accountHash: [UInt8], over known: consuming ConnectorRecord?,
        _ reference: ConnectorReference, _ port: any RecordPort
    ) throws(EnclaveFailure) -> (version: UInt64, accountChanged: Bool) {
        var state = known
        var accountChanged = false
        var isOtherAccount = false
        for attempt in 0...(Self.maximumRepeats + 1) {
            let expected: UInt64
            isOtherAccount = false
            switch consume state {
            case .none: expected = 0
            case .tombstone(let version): expected = version
            case .connected(let replaced):
                if SecretBytes.constantTimeEqual(replaced.token, token) {
                    // The put had arrived, only its acknowledgement was lost.
                    return (replaced.recordVersion, accountChanged)
                }
                expected = replaced.recordVersion
                isOtherAccount = !constantTimeEqual(replaced.accountHash, accountHash)
                if isOtherAccount, attempt <= Self.maximumRepeats {
                    guard (try? endpoint.revoke(replaced.token)) != nil else {
                        _ = try? endpoint.revoke(token)
                        throw EnclaveFailure(.replacedTokenNotRevoked)
                    }
                    accountChanged = true
                }
            }
            guard attempt <= Self.maximumRepeats else { break }
            let record = try vaultCall { () throws(VaultError) in
                try vault.seal(
                    token: token, accountHash: accountHash, user: reference.user, connector: reference.connector,
                    recordVersion: expected + 1, port: port)
            }
            switch try writer.put(record, reference, port) {
            case .stored: return (expected + 1, accountChanged)
            case .refused:
                _ = try? endpoint.revoke(token)
                throw EnclaveFailure(.recordRefused)
            case .conflict: state = try existing(reference, port)
            }
        }
        if isOtherAccount { _ = try? endpoint.revoke(token) }
        throw EnclaveFailure(.recordConflict)
    }
}
