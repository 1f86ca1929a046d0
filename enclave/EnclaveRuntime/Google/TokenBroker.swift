internal import AttestedSession
internal import EnclaveProtocol
internal import EnclaveVault
internal import Sodium
internal import Synchronization

/// Hands out access tokens: from the cache, or from the one refresh per connector that may be under way.
final class TokenBroker: Sendable {
    /// What a caller gets.
    enum Access: ~Copyable {
        /// A token of the caller's record version.
        case token(AccessTokenCache.Token)
        /// A refresh is under way; `resume` is called at its end.
        case joined
        /// The record that the caller read may no longer be the current one: read it again.
        case outdated
    }

    private struct Waiter {
        let recordVersion: UInt64
        let resume: @Sendable (Result<Void, EnclaveFailure>) -> Void
    }

    /// Calls parked behind one refresh, those that were given up meanwhile included.
    private static let maximumWaiters = 1024

    private let cache: AccessTokenCache
    private let refresher: TokenRefresher
    private let flights = Mutex<[ConnectorReference: [Waiter]]>([:])

    init(cache: AccessTokenCache, refresher: TokenRefresher) {
        self.cache = cache
        self.refresher = refresher
    }

    /// A token for the record whose `version` the caller has just opened; the first caller without one refreshes for all.
    ///
    /// The refresh belongs to the enclave: it runs to its end on this thread, whatever becomes of the caller.
    func access(
        _ reference: ConnectorReference, _ version: UInt64, _ lastingPort: any RecordPort,
        resume: @escaping @Sendable (Result<Void, EnclaveFailure>) -> Void
    ) throws(EnclaveFailure) -> Access {
        enum Decision { case join, use, outdated, fly, full }
        let decision = flights.withLock { flights -> Decision in
            if let waiters = flights[reference]?.count {
                guard waiters < Self.maximumWaiters else { return .full }
                flights[reference]?.append(Waiter(recordVersion: version, resume: resume))
                return .join
            }
            switch cache.find(reference, recordVersion: version) {
            case .usable: return .use
            case .newer: return .outdated
            case .none:
                flights[reference] = []
                return .fly
            }
        }
        switch decision {
        case .join: return .joined
        case .full: throw EnclaveFailure(.overloaded)
        case .outdated: return .outdated
        case .use:
            guard let token = cache.token(reference, recordVersion: version) else { return .outdated }
            return .token(token)
        case .fly: return try fly(reference, version, lastingPort)
        }
    }

    private func fly(
        _ reference: ConnectorReference, _ version: UInt64, _ port: any RecordPort
    ) throws(EnclaveFailure) -> Access {
        var lastRead = version
        let result: Result<UInt64, EnclaveFailure>
        do throws(EnclaveFailure) {
            result = .success(try refresher.refresh(reference, port, lastRead: &lastRead))
        } catch {
            result = .failure(error)
        }
        // From here on a new caller finds the token in the cache, or starts a refresh of its own.
        let waiters = flights.withLock { $0.removeValue(forKey: reference) } ?? []
        for waiter in waiters {
            switch result {
            case .failure(let failure) where waiter.recordVersion <= lastRead: waiter.resume(.failure(failure))
            default: waiter.resume(.success(()))
            }
        }
        _ = try result.get()
        // Google and the host had all the time they wanted: what holds now is for the record to say.
        return .outdated
    }
}
