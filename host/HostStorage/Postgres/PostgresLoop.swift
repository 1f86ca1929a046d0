internal import CLinux
import Glibc
import Synchronization

/// The mailbox of the one thread that talks to Postgres: async callers put requests in, the thread answers.
final class PostgresLoop: Sendable {
    /// Where a statement may run.
    enum Target: Sendable {
        case pool
        /// The connection of a transaction.
        case held(Lease)
    }

    /// A connection lent to one transaction.
    struct Lease: Sendable, Equatable {
        let slot: Int
        let connection: Int
    }

    struct Request: Sendable {
        let id: UInt64
        let statement: Statement
        let parameters: EncodedParameters
        let target: Target
        let deadline: Instant
        let continuation: CheckedContinuation<Result<Rows, StorageError>, Never>
    }

    struct Acquisition: Sendable {
        let id: UInt64
        let deadline: Instant
        let continuation: CheckedContinuation<Result<Lease, StorageError>, Never>
    }

    enum Command: Sendable {
        case run(Request)
        case acquire(Acquisition)
        case release(Lease, healthy: Bool)
        case cancel(UInt64)
        case connected(slot: Int, PostgresHandle?)
        case stop
    }

    private struct Mailbox {
        var commands: [Command] = []
        var isSignalled = false
        var isStopped = false
    }

    private let mailbox = Mutex(Mailbox())
    private let identifiers = Atomic<UInt64>(0)
    let wakeUp: Int32
    let configuration: PostgresConfiguration

    init(_ configuration: PostgresConfiguration) {
        self.configuration = configuration
        wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        precondition(wakeUp >= 0, "no file descriptor left for the database loop")
    }

    deinit { Glibc.close(wakeUp) }

    func start() {
        let started = HelperThread.start { [self] in PostgresReactor(self)?.run() }
        precondition(started, "no thread left for the database loop")
    }

    var lastID: UInt64 { identifiers.load(ordering: .relaxed) }

    func nextID() -> UInt64 { identifiers.add(1, ordering: .relaxed).newValue }

    /// `false` when the loop has ended and will not see the command.
    @discardableResult
    func post(_ command: Command) -> Bool {
        let (accepted, mustSignal) = mailbox.withLock { box -> (Bool, Bool) in
            guard !box.isStopped else { return (false, false) }
            box.commands.append(command)
            defer { box.isSignalled = true }
            return (true, !box.isSignalled)
        }
        if mustSignal { eventfd_write(wakeUp, 1) }
        return accepted
    }

    /// Everything that has come in; for the loop's thread.
    func drain() -> [Command] {
        var ignored: UInt64 = 0
        unsafe eventfd_read(wakeUp, &ignored)
        return mailbox.withLock { box in
            box.isSignalled = false
            defer { box.commands = [] }
            return box.commands
        }
    }

    /// No command is accepted any more; what was still there is handed back to be refused.
    func close() -> [Command] {
        mailbox.withLock { box in
            box.isStopped = true
            defer { box.commands = [] }
            return box.commands
        }
    }
}
