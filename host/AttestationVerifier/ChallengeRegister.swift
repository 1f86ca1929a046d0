internal import EnclaveProtocol
internal import Synchronization

/// Challenges that were asked and not answered yet; the first answer, good or bad, uses one up.
final class ChallengeRegister: Sendable {
    /// Most challenges outstanding at a time; beyond, the one that expires first is forgotten.
    static let capacity = 4096

    private let expiryByNonce = Mutex<[[UInt8]: UInt64]>([:])

    func add(_ challenge: Challenge, now: UInt64) {
        expiryByNonce.withLock { outstanding in
            outstanding[challenge.nonce] = challenge.expiresAt
            guard outstanding.count > Self.capacity else { return }
            outstanding = outstanding.filter { $0.value >= now }
            guard outstanding.count > Self.capacity, let oldest = outstanding.min(by: { $0.value < $1.value }) else {
                return
            }
            outstanding[oldest.key] = nil
        }
    }

    /// Whether it was outstanding; it no longer is.
    func consume(_ challenge: Challenge) -> Bool {
        expiryByNonce.withLock { $0.removeValue(forKey: challenge.nonce) != nil }
    }
}
