import Crypto
import Synchronization

/// Remembers of recently verified tokens that their signature held, and their claims; the tokens themselves are not kept.
///
/// It saves the arithmetic of RSA and nothing else: whoever asks still needs the key in the provider's current set, judges
/// every rule about the claims anew, and asks for the account's state.
final class VerifiedTokens: Sendable {
    private struct Entry {
        let keyID: String
        let key: SHA256Digest
        let claims: ClerkClaims
    }

    /// Two generations: what is asked for moves to the young one; when that is full, the old one is forgotten.
    private struct State {
        var young: [SHA256Digest: Entry] = [:]
        var old: [SHA256Digest: Entry] = [:]
    }

    private let generation: Int
    private let state = Mutex(State())

    /// At most `capacity` tokens; 0 remembers none.
    init(capacity: Int) { generation = capacity / 2 }

    /// What a token is remembered by; nil when nothing is remembered.
    func digest(of token: String) -> SHA256Digest? {
        generation > 0 ? SHA256.hash(data: Array(token.utf8)) : nil
    }

    /// The claims of a token that one of `keys` verified before; nil when it must be verified.
    func claims(_ digest: SHA256Digest, key: (_ keyID: String) -> VerificationKey?) -> ClerkClaims? {
        let found = state.withLock { state -> Entry? in
            if let entry = state.young[digest] { return entry }
            guard let entry = state.old.removeValue(forKey: digest) else { return nil }
            keep(entry, digest, in: &state)
            return entry
        }
        guard let found, key(found.keyID)?.fingerprint == found.key else { return nil }
        return found.claims
    }

    /// Remembers that `key` verified a token.
    func insert(_ digest: SHA256Digest, keyID: String, key: VerificationKey, _ claims: ClerkClaims) {
        let entry = Entry(keyID: keyID, key: key.fingerprint, claims: claims)
        state.withLock { keep(entry, digest, in: &$0) }
    }

    private func keep(_ entry: Entry, _ digest: SHA256Digest, in state: inout State) {
        if state.young.count >= generation {
            state.old = state.young
            state.young = [:]
        }
        state.young[digest] = entry
    }
}
