public import AttestedSession
public import EnclaveProtocol
public import Sodium
internal import Synchronization

/// Access tokens of connectors in locked memory, each tied to the record version that it came from.
public final class AccessTokenCache: Sendable {
    /// Most tokens kept; the one that expires first goes when one more comes.
    public static let maximumEntries = 10_000
    /// A token is not used in its last seconds: 120, less up to 60 so that tokens of one moment do not end together.
    static let marginSeconds = 120
    static let jitterSeconds = 60

    private struct Entry {
        let recordVersion: UInt64
        let serial: UInt64
        let usableUntil: MonotonicInstant
        let expiresAt: MonotonicInstant
        let slot: SecretSlab.Slot
    }

    private struct State: ~Copyable {
        var entries: [ConnectorReference: Entry] = [:]
        var slab = SecretSlab()
        var serial: UInt64 = 0
    }

    /// A token lent for one call.
    public struct Token: ~Copyable, Sendable {
        /// Bytes of the token.
        public let bytes: SecretBytes
        /// Tells this token from those that replace it.
        public let serial: UInt64
        /// When the provider ends it.
        public let expiresAt: MonotonicInstant
        /// Version of the record it came from.
        public let recordVersion: UInt64
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> MonotonicInstant

    /// An empty cache.
    public init(now: @escaping @Sendable () -> MonotonicInstant = { .now }) { self.now = now }

    /// What the cache knows of a connector.
    enum Finding { case none, usable(serial: UInt64), newer }

    /// Whether there is a usable token of exactly `recordVersion`; a token of an older version, or one that is too
    /// close to its end, is dropped.
    func find(_ reference: ConnectorReference, recordVersion: UInt64) -> Finding {
        state.withLock { state in
            guard let entry = state.entries[reference] else { return .none }
            if entry.recordVersion > recordVersion { return .newer }
            guard entry.recordVersion == recordVersion, entry.usableUntil > now() else {
                Self.drop(reference, &state)
                return .none
            }
            return .usable(serial: entry.serial)
        }
    }

    /// A copy of the usable token of exactly `recordVersion`.
    public func token(_ reference: ConnectorReference, recordVersion: UInt64) -> Token? {
        state.withLock { state -> Token? in
            guard let entry = state.entries[reference], entry.recordVersion == recordVersion,
                entry.usableUntil > now()
            else { return nil }
            return Token(
                bytes: state.slab.load(entry.slot), serial: entry.serial, expiresAt: entry.expiresAt,
                recordVersion: recordVersion)
        }
    }

    /// Keeps `token`, which lives `seconds` more, in place of what was there, unless that is of a newer record.
    public func store(
        _ token: borrowing SecretBytes, for reference: ConnectorReference, recordVersion: UInt64, seconds: Int
    ) {
        let margin = Self.marginSeconds - Int.random(in: 0...Self.jitterSeconds)
        let now = now()
        state.withLock { state in
            if let known = state.entries[reference], known.recordVersion > recordVersion { return }
            Self.drop(reference, &state)
            if state.entries.count >= Self.maximumEntries,
                let first = state.entries.min(by: { $0.value.expiresAt < $1.value.expiresAt })?.key
            {
                Self.drop(first, &state)
            }
            state.serial += 1
            state.entries[reference] = Entry(
                recordVersion: recordVersion, serial: state.serial,
                usableUntil: now.advanced(bySeconds: max(1, seconds - margin)),
                expiresAt: now.advanced(bySeconds: seconds), slot: state.slab.store(token))
        }
    }

    /// Drops the token of a connector; with `serial` only if it is still that one.
    public func drop(_ reference: ConnectorReference, serial: UInt64? = nil) {
        state.withLock { state in
            guard serial == nil || state.entries[reference]?.serial == serial else { return }
            Self.drop(reference, &state)
        }
    }

    /// Drops all tokens of a user.
    public func drop(user: UserID) {
        state.withLock { state in
            for reference in state.entries.keys where reference.user == user { Self.drop(reference, &state) }
        }
    }

    /// Wipes everything.
    public func dropAll() {
        state.withLock { state in
            for reference in state.entries.keys { Self.drop(reference, &state) }
        }
    }

    private static func drop(_ reference: ConnectorReference, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: reference) else { return }
        state.slab.release(entry.slot)
    }
}
