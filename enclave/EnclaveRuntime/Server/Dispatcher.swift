internal import AttestedSession
internal import EnclaveProtocol
internal import EnclaveVault
internal import Synchronization

/// Takes calls from sessions: checks method, role and room, runs the operation on the pool, answers.
final class Dispatcher: CallHandler {
    /// Content up to which `data.seal` and `data.open` run at once instead of changing threads, in bytes.
    private static let inlineBytes = 16 * 1024
    /// Times an operation may start anew because a record changed under it.
    private static let maximumRounds = 4

    private struct Load {
        var calls = 0
        /// Those of them that wait for Google; a quarter of the room is kept for the others.
        var googleCalls = 0
        var running = 0
    }

    private let operations: Operations
    private let lifecycle: Lifecycle
    private let sessions: CallbackSessions
    private let pool: WorkerPool
    private let maximumInFlight: Int
    private let log: Log
    private let load = Monitor(Load())
    private let keysLoaded = Atomic(false)

    init(
        _ operations: Operations, lifecycle: Lifecycle, sessions: CallbackSessions, pool: WorkerPool,
        maximumInFlight: Int, log: Log
    ) {
        self.operations = operations
        self.lifecycle = lifecycle
        self.sessions = sessions
        self.pool = pool
        self.maximumInFlight = maximumInFlight
        self.log = log
    }

    func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) {
        guard let method = Method(rawValue: call.method), !method.isCallback else {
            return refuse("unknown", session.role, .unknownMethod, reply)
        }
        guard let role = session.role, method.roles.contains(role) else {
            return refuse(method.name, session.role, .roleNotAllowed, reply)
        }
        guard lifecycle.allows(method, session: session.id) else {
            return refuse(method.name, role, .draining, reply)
        }
        let hasRoom = load.withLock { load in
            guard load.calls < maximumInFlight else { return false }
            if method.callsGoogle {
                guard load.googleCalls < maximumInFlight - maximumInFlight / 4 else { return false }
                load.googleCalls += 1
            }
            load.calls += 1
            return true
        }
        guard hasRoom else { return refuse(method.name, role, .overloaded, reply) }
        let ticket = CallTicket(call, method: method, role: role, session: session, reply: reply) {
            [weak self] ticket, result, milliseconds in
            self?.finished(ticket, result, milliseconds)
        }
        let isData = method == .dataSeal || method == .dataOpen
        // With every key in memory nothing of these needs a callback, for which this thread could not wait.
        if isData, call.body.count <= Self.inlineBytes, hasAllKeys {
            run(ticket, isResumed: false)
        } else {
            submit(ticket, isResumed: false)
        }
    }

    func ended(_ session: Session, reason: SessionEnd) {
        log.write(.debug, .sessionEnded(role: session.role?.rawValue ?? "none", reason: "\(reason)"))
    }

    /// Waits until every call is answered; false when `deadline` passes first.
    func waitForCalls(until deadline: MonotonicInstant) -> Bool {
        load.wait(until: deadline) { $0.calls == 0 ? true : nil } ?? false
    }

    /// Waits until nothing runs any more, work that outlived its call included.
    func waitForWork(until deadline: MonotonicInstant) -> Bool {
        load.wait(until: deadline) { $0.running == 0 ? true : nil } ?? false
    }

    private var hasAllKeys: Bool {
        if keysLoaded.load(ordering: .relaxed) { return true }
        let policy = operations.vault.policy
        let loaded = operations.vault.statistics.loadedKeyVersions.count == policy.decryptVersions.count + 1
        if loaded { keysLoaded.store(true, ordering: .relaxed) }
        return loaded
    }

    private func submit(_ ticket: CallTicket, isResumed: Bool) {
        pool.submit(waitsForGoogle: ticket.method.callsGoogle) { [self] in run(ticket, isResumed: isResumed) }
    }

    private func run(_ ticket: CallTicket, isResumed: Bool) {
        guard ticket.isWanted else {
            return ticket.finish(
                .failure(EnclaveFailure(ticket.call.cancellation.isCancelled ? .cancelled : .timedOut)))
        }
        guard ticket.takeRound(of: Self.maximumRounds) else {
            return ticket.finish(.failure(EnclaveFailure(.recordConflict)))
        }
        load.withLock { $0.running += 1 }
        defer { load.withLock(wake: true) { $0.running -= 1 } }
        let port = sessions.port(for: ticket)
        let context = CallContext(
            role: ticket.role, session: ticket.session.id, deadline: ticket.call.deadline, port: port,
            lastingPort: port.lasting,
            resume: { [self] outcome in
                switch outcome {
                case .success: submit(ticket, isResumed: true)
                case .failure(let failure): ticket.finish(.failure(failure))
                }
            }, isResumed: isResumed)
        do throws(EnclaveFailure) {
            switch try operations.run(ticket.method, ticket.call.body, context) {
            case .answer(let bytes): ticket.finish(.success(bytes))
            case .parked: leaveWhenUnwanted(ticket)
            }
        } catch {
            ticket.finish(.failure(error))
        }
    }

    /// A parked call whose caller gives up is over at once, however long that which it waits for takes.
    private func leaveWhenUnwanted(_ ticket: CallTicket) {
        // Weak: what it waits for holds the ticket, and the ticket holds this cancellation.
        ticket.call.cancellation.onCancel { [weak ticket] in
            guard let ticket else { return }
            ticket.finish(.failure(EnclaveFailure(ticket.call.deadline > .now ? .cancelled : .timedOut)))
        }
    }

    private func finished(_ ticket: CallTicket, _ result: String, _ milliseconds: Int) {
        load.withLock(wake: true) { load in
            load.calls -= 1
            if ticket.method.callsGoogle { load.googleCalls -= 1 }
        }
        operations.counters.callAnswered(ticket.method.name, result)
        let isQuiet = result == "ok" && !ticket.method.callsGoogle
        log.write(
            result == "ok" ? (isQuiet ? .debug : .info) : .warn,
            .call(method: ticket.method.name, role: ticket.role.rawValue, result: result, milliseconds: milliseconds),
            requestID: ticket.call.requestID)
    }

    private func refuse(
        _ method: String, _ role: Role?, _ code: EnclaveErrorCode,
        _ reply: @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) {
        operations.counters.callAnswered(method, code.name)
        log.write(.warn, .call(method: method, role: role?.rawValue ?? "none", result: code.name, milliseconds: 0))
        reply(.failure(EnclaveFailure(code)))
    }
}
