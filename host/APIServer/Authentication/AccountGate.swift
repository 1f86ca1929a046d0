import EnclaveProtocol
import HostRuntime
import HostStorage
import Synchronization

/// Lets through users whose account is not deleted; remembers ACTIVE for a short time.
///
/// The database refuses writes for a deleted user in any case, so a stale answer cannot change anything.
final class AccountGate: Sendable {
    static let memory = Duration.seconds(10)
    static let capacity = 10_000

    private let users: UserRepository
    private let active = Mutex<[UserID: ContinuousClock.Instant]>([:])

    /// A gate over the users of `pool`.
    init(_ users: UserRepository) { self.users = users }

    /// Forgets what is known of a user, or of all: the account's state may have changed.
    func forget(_ user: UserID? = nil) {
        active.withLock { active in
            if let user { active[user] = nil } else { active = [:] }
        }
    }

    /// Throws `account_deleted` for a deleted user unless `admitsDeleted`; inserts a user never seen before.
    func check(_ user: UserID, admitsDeleted: Bool = false, log: HostLog) async throws(APIError) {
        let now = ContinuousClock.now
        if active.withLock({ $0[user].map { now < $0 } ?? false }) { return }
        let status = try await stored(log) { () throws(StorageError) in try await users.ensureActive(user.uuid) }
        guard status == .active else {
            guard admitsDeleted else { throw APIError(.accountDeleted) }
            return
        }
        active.withLock { active in
            if active.count >= Self.capacity { active = active.filter { now < $0.value } }
            if active.count >= Self.capacity { active = [:] }
            active[user] = now + Self.memory
        }
    }
}
