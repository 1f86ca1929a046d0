internal import CLinux
import Glibc

/// State of the loop's thread: connections, waiting calls, deadlines. Never leaves that thread.
final class PostgresReactor {
    let loop: PostgresLoop
    let configuration: PostgresConfiguration
    private let epoll: Int32
    private let connector: PostgresConnector
    var slots: [Slot]
    var waiting: [PostgresConnectionKind: FIFO<PostgresCall>] = [.shared: FIFO(), .exclusive: FIFO()]
    var acquisitions: FIFO<PostgresLoop.Acquisition> = FIFO()
    /// Every unanswered call, for cancellation and deadlines.
    var calls: [UInt64: PostgresCall] = [:]
    /// Slots lent to transactions.
    var leased: Set<Int> = []
    /// Failed attempts to connect since the last one that worked.
    var failures = 0
    var nextAttempt = Instant(nanoseconds: 0)
    private var nextDeadlineCheck = Instant(nanoseconds: 0)
    private var connectionsMade = 0
    private var isStopping = false

    struct Slot {
        enum State { case closed, connecting, open(PostgresConnection) }
        let kind: PostgresConnectionKind
        var state = State.closed
        /// Lent to a transaction, or busy with one statement.
        var isTaken = false

        var connection: PostgresConnection? {
            if case .open(let connection) = state { connection } else { nil }
        }
    }

    init?(_ loop: PostgresLoop) {
        self.loop = loop
        configuration = loop.configuration
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        connector = PostgresConnector(loop)
        slots =
            (0..<configuration.sharedConnections).map { _ in Slot(kind: .shared) }
            + (0..<configuration.exclusiveConnections).map { _ in Slot(kind: .exclusive) }
        guard epoll >= 0 else { return nil }
        watch(loop.wakeUp, slot: -1, write: false, isNew: true)
    }

    deinit { close(epoll) }

    func run() {
        var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
        while !isStopping {
            connectWhereNeeded()
            let count = unsafe epoll_wait(epoll, &events, Int32(events.count), untilNextTimer())
            for index in 0..<max(0, Int(count)) {
                let slot = Int(Int32(bitPattern: unsafe events[index].data.u32))
                if slot >= 0 { receive(on: slot) }
            }
            for command in loop.drain() { handle(command) }
            dispatchWaiting()
            checkDeadlines()
        }
        end()
    }

    private func handle(_ command: PostgresLoop.Command) {
        switch command {
        case .run(let request): accept(request)
        case .acquire(let acquisition): accept(acquisition)
        case .release(let lease, let healthy): release(lease, healthy: healthy)
        case .cancel(let id): cancel(id)
        case .connected(let slot, let handle): connected(slot, handle)
        case .stop: isStopping = true
        }
    }

    // MARK: - Sockets

    func watch(_ socket: Int32, slot: Int, write: Bool, isNew: Bool) {
        var event = unsafe epoll_event()
        unsafe event.events = EPOLLIN.rawValue | (write ? EPOLLOUT.rawValue : 0)
        unsafe event.data.u32 = UInt32(bitPattern: Int32(slot))
        unsafe epoll_ctl(epoll, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event)
    }

    private func receive(on slot: Int) {
        guard let connection = slots[slot].connection else { return }
        if connection.wantsToWrite { _ = connection.flush() }
        connection.receive { call in self.finished(call, on: slot, connection) }
        settle(slot, connection)
    }

    /// After anything was done with a connection: drop it if it broke, else watch for what it needs.
    func settle(_ slot: Int, _ connection: PostgresConnection) {
        guard !connection.isBroken else { return drop(slot, .unavailable) }
        guard connection.wantsToWrite != connection.isWatchedForWriting else { return }
        connection.isWatchedForWriting = connection.wantsToWrite
        watch(connection.handle.socket, slot: slot, write: connection.wantsToWrite, isNew: false)
    }

    // MARK: - Connecting

    private func connectWhereNeeded() {
        if failures > 0 {
            // While Postgres is away one attempt at a time is enough to notice its return.
            guard Instant.now >= nextAttempt, !slots.contains(where: \.isConnecting) else { return }
        }
        guard slots.contains(where: \.isClosed) else { return }
        var wanted = (waiting[.exclusive]?.count ?? 0) + acquisitions.count
        wanted -= slots.count { $0.kind == .exclusive && !$0.isTaken && !$0.isClosed }
        for index in slots.indices where slots[index].isClosed {
            if slots[index].kind == .exclusive {
                guard wanted > 0 else { continue }
                wanted -= 1
            }
            slots[index].state = .connecting
            connector.connect(slot: index)
            if failures > 0 { return }
        }
    }

    private func connected(_ slot: Int, _ handle: PostgresHandle?) {
        slots[slot].state = .closed
        connectionsMade += 1
        guard let handle,
            let connection = PostgresConnection(
                handle, number: connectionsMade, isShared: slots[slot].kind == .shared,
                namesStatements: configuration.usePreparedStatements)
        else { return connectFailed() }
        failures = 0
        slots[slot].state = .open(connection)
        slots[slot].isTaken = false
        watch(handle.socket, slot: slot, write: false, isNew: true)
    }

    private func connectFailed() {
        let pause = min(
            StorageLimits.longestBackOff.wholeNanoseconds,
            StorageLimits.firstBackOff.wholeNanoseconds << UInt64(min(failures, 16)))
        failures += 1
        nextAttempt = Instant(nanoseconds: Instant.now.nanoseconds + UInt64.random(in: pause / 2...pause))
        refuseHopeless()
    }

    // MARK: - Time

    private func untilNextTimer() -> Int32 {
        var timeout: Int32 = -1
        let now = Instant.now
        if failures > 0 { timeout = max(1, nextAttempt.milliseconds(since: now)) }
        if !calls.isEmpty || !acquisitions.isEmpty {
            let resolution = Int32(StorageLimits.deadlineResolution.wholeMilliseconds)
            timeout = timeout < 0 ? resolution : min(timeout, resolution)
        }
        return timeout
    }

    private func checkDeadlines() {
        let now = Instant.now
        guard now >= nextDeadlineCheck else { return }
        nextDeadlineCheck = now.advanced(by: StorageLimits.deadlineResolution)
        for call in calls.values where call.deadline <= now { giveUp(call, .timeout) }
        acquisitions.removeAll { acquisition in
            guard acquisition.deadline <= now else { return false }
            acquisition.continuation.resume(returning: .failure(.timeout))
            return true
        }
        let patience = configuration.statementTimeout + StorageLimits.serverGrace
        for index in slots.indices {
            guard let connection = slots[index].connection, !connection.sent.isEmpty else { continue }
            if connection.headSince.advanced(by: patience) <= now { drop(index, .unavailable) }
        }
    }

    // MARK: - End

    private func end() {
        for command in loop.close() {
            switch command {
            case .run(let request): request.continuation.resume(returning: .failure(.unavailable))
            case .acquire(let acquisition): acquisition.continuation.resume(returning: .failure(.unavailable))
            default: break
            }
        }
        for call in calls.values { call.answer(.failure(.unavailable)) }
        for acquisition in acquisitions.removeAll() {
            acquisition.continuation.resume(returning: .failure(.unavailable))
        }
        calls = [:]
        slots = []
    }
}

enum PostgresConnectionKind: Hashable { case shared, exclusive }

extension PostgresReactor.Slot {
    var isClosed: Bool { if case .closed = state { true } else { false } }
    var isConnecting: Bool { if case .connecting = state { true } else { false } }
}
