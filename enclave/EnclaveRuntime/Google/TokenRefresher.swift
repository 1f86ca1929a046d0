internal import EnclaveProtocol
internal import EnclaveVault
internal import Sodium

/// One refresh at the provider with everything that follows from its answer (behaviour §5.3, §7.3).
struct TokenRefresher: Sendable {
    /// Times a refresh goes on with a record that another writer has put meanwhile.
    private static let maximumChanges = 2
    /// Wait before the second look at the record after `invalid_grant`, in milliseconds.
    static let secondLookMilliseconds = 2000

    let vault: TokenVault
    let endpoint: TokenEndpoint
    let cache: AccessTokenCache
    let writer: RecordWriter
    let counters: Counters
    let pause: @Sendable (_ milliseconds: Int) -> Void

    /// Refreshes, stores a rotated token before anything uses what came with it, and caches the access token.
    ///
    /// Returns the record version that the cached token belongs to; `lastRead` is the newest version seen.
    func refresh(
        _ reference: ConnectorReference, _ port: any RecordPort, lastRead: inout UInt64
    ) throws(EnclaveFailure) -> UInt64 {
        do throws(EnclaveFailure) {
            let version = try run(reference, port, &lastRead)
            counters.refresh("ok")
            return version
        } catch {
            counters.refresh(error.code.name)
            throw error
        }
    }

    private func run(
        _ reference: ConnectorReference, _ port: any RecordPort, _ lastRead: inout UInt64
    ) throws(EnclaveFailure) -> UInt64 {
        var current = try read(reference, port)
        try loadKey(port)
        for _ in 0...Self.maximumChanges {
            lastRead = current.recordVersion
            guard let answer = try endpoint.refresh(current.token) else {
                current = try newer(than: current.recordVersion, reference, port)
                continue
            }
            var stored = current.recordVersion
            if let rotated = answer.refreshToken, !SecretBytes.constantTimeEqual(rotated, current.token) {
                switch try persist(rotated, over: current, reference, port) {
                case .stored(let version): stored = version
                case .superseded(let other):
                    // Another writer was faster: what Google sent belongs to a record that is gone.
                    current = other
                    continue
                }
            }
            cache.store(
                answer.accessToken, for: reference, recordVersion: stored, seconds: answer.expiresInSeconds)
            return stored
        }
        throw EnclaveFailure(.recordConflict)
    }

    /// After `invalid_grant`: the record that was put meanwhile, looked for twice; without one the grant is dead.
    private func newer(
        than version: UInt64, _ reference: ConnectorReference, _ port: any RecordPort
    ) throws(EnclaveFailure) -> OpenedConnector {
        let first = try read(reference, port)
        if first.recordVersion > version { return first }
        pause(Self.secondLookMilliseconds)
        let second = try read(reference, port)
        if second.recordVersion > version { return second }
        throw EnclaveFailure(.reconnectRequired)
    }

    private enum Persisted: ~Copyable { case stored(UInt64), superseded(OpenedConnector) }

    private func persist(
        _ rotated: borrowing SecretBytes, over current: borrowing OpenedConnector, _ reference: ConnectorReference,
        _ port: any RecordPort
    ) throws(EnclaveFailure) -> Persisted {
        var expected = current.recordVersion
        for _ in 0...Self.maximumChanges {
            let record = try seal(rotated, current.accountHash, reference, expected + 1, port)
            switch try writer.put(record, reference, port) {
            case .stored: return .stored(expected + 1)
            case .refused: throw EnclaveFailure(.recordRefused)
            case .conflict: break
            }
            let other: OpenedConnector
            do throws(EnclaveFailure) {
                other = try read(reference, port)
            } catch {
                // The grant was to end while its token was being replaced: nobody else has the new one.
                if error.code == .recordRevoked { _ = try? endpoint.revoke(rotated) }
                throw error
            }
            // The put had arrived, only its acknowledgement was lost.
            if SecretBytes.constantTimeEqual(other.token, rotated) { return .stored(other.recordVersion) }
            guard SecretBytes.constantTimeEqual(other.token, current.token) else { return .superseded(other) }
            // Sealed anew with the very token that Google has just replaced: write over it.
            expected = other.recordVersion
        }
        throw EnclaveFailure(.recordConflict)
    }

    /// Brings the key that seals a rotated token into memory before there is one: then no host can make it wait.
    private func loadKey(_ port: any RecordPort) throws(EnclaveFailure) {
        do throws(VaultError) {
            try vault.warmUp(port: port)
        } catch {
            throw EnclaveFailure(error.code)
        }
    }

    private func seal(
        _ token: borrowing SecretBytes, _ accountHash: [UInt8], _ reference: ConnectorReference, _ version: UInt64,
        _ port: any RecordPort
    ) throws(EnclaveFailure) -> StoredRecord {
        do throws(VaultError) {
            return try vault.seal(
                token: token, accountHash: accountHash, user: reference.user, connector: reference.connector,
                recordVersion: version, port: port)
        } catch {
            throw EnclaveFailure(error.code)
        }
    }

    private func read(
        _ reference: ConnectorReference, _ port: any RecordPort
    ) throws(EnclaveFailure) -> OpenedConnector {
        do throws(VaultError) {
            return try vault.open(user: reference.user, connector: reference.connector, port: port)
        } catch {
            throw EnclaveFailure(error.code)
        }
    }
}
