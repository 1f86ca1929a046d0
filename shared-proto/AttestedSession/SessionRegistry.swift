internal import EnclaveProtocol
internal import Synchronization

/// The open sessions of a listener, and who may have one more.
final class SessionRegistry: Sendable {
    private let maximum: Int
    private let open = Mutex<[UInt64: Session]>([:])

    init(maximum: Int) { self.maximum = maximum }

    var all: [Session] { open.withLock { Array($0.values) } }

    /// Whether one more session of `role` fits, with a quarter of all kept for each of api and worker.
    func hasRoom(for role: Role) -> Bool { open.withLock { SessionRegistry.hasRoom(for: role, in: $0, maximum) } }

    /// Adds a session; false when there is no room.
    func add(_ session: Session, role: Role) -> Bool {
        open.withLock { open in
            guard SessionRegistry.hasRoom(for: role, in: open, maximum) else { return false }
            open[session.id] = session
            return true
        }
    }

    func remove(_ session: Session) {
        _ = open.withLock { $0.removeValue(forKey: session.id) }
    }

    private static func hasRoom(for role: Role, in open: [UInt64: Session], _ maximum: Int) -> Bool {
        var kept = 0
        for other in [Role.api, .worker] where other != role {
            kept += max(0, maximum / 4 - open.values.count { $0.role == other })
        }
        return open.count + 1 + kept <= maximum
    }
}
