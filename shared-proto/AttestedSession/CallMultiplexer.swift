internal import EnclaveProtocol

/// Who owns a call id, and with it which credit window a message uses.
enum Traffic: UInt32, Sendable {
    /// Calls of the host and their answers: odd ids.
    case calls = 0
    /// Callbacks of the enclave and their answers: even ids.
    case callbacks = 1

    init(of callID: UInt32) { self = callID % 2 == 1 ? .calls : .callbacks }
}

/// One value for calls and one for callbacks.
struct PerTraffic<Value> {
    var calls: Value
    var callbacks: Value

    subscript(traffic: Traffic) -> Value {
        get { traffic == .calls ? calls : callbacks }
        _modify { if traffic == .calls { yield &calls } else { yield &callbacks } }
    }
}

/// All calls of one session, both ways, as a state machine without I/O: records and calls in, actions and records out.
///
/// `Waiter` is what the owner wants back with an answer, `Serving` what it wants back when a peer's call is cancelled.
struct CallMultiplexer<Waiter, Serving> {
    enum Side: Sendable { case host, enclave }

    /// Bytes of a received message whose credit returns once it was consumed.
    struct Consumption: Equatable {
        let traffic: Traffic
        let bytes: Int
    }

    /// What a record demands of the owner.
    enum Action {
        case none
        /// A whole request; `attach` follows at once, `answer` some time later.
        case request(callID: UInt32, body: [UInt8])
        /// An answer; `consumed` follows once the waiter has it.
        case answer(Waiter, Result<[UInt8], EnclaveFailure>, Consumption)
        /// The peer no longer wants the answer to this call.
        case cancelled(Serving)
    }

    /// A call of this side that has no answer yet.
    struct Waiting {
        let waiter: Waiter
        let deadline: MonotonicInstant
        /// The answer so far.
        var assembly: [UInt8] = []
        var receivedBytes = 0
        /// Cancelled or timed out; its answer is dropped when it comes.
        var isAbandoned = false
    }

    /// A call of the peer that has no answer yet.
    struct Served {
        let bytes: Int
        var serving: Serving?
        var deadline = MonotonicInstant.distantFuture
        var isCancelled = false
    }

    /// A message on its way out.
    struct Message {
        let callID: UInt32
        let kind: RecordKind
        let body: [UInt8]
        var sentBytes = 0
    }

    let side: Side
    var nextCallID: UInt32
    var lastPeerCallID: UInt32 = 0
    var waiting: [UInt32: Waiting] = [:]
    var abandonedCount = 0
    var served: [UInt32: Served] = [:]
    var assembling: [UInt32: [UInt8]] = [:]

    var control = Fifo<Message>()
    var pending = PerTraffic(calls: Fifo<Message>(), callbacks: Fifo<Message>())
    var active = Fifo<Message>()
    var sendCredit = PerTraffic(calls: Limits.creditWindowBytes, callbacks: Limits.creditWindowBytes)
    /// Answers that did not leave as a whole; to the peer these calls are still in progress.
    var queuedAnswers = (count: 0, bytes: 0)
    var held = PerTraffic(calls: 0, callbacks: 0)
    var returnable = PerTraffic(calls: 0, callbacks: 0)

    /// Not later than the earliest deadline of any call; call `expire` then.
    private(set) var nextDeadline = MonotonicInstant.distantFuture

    init(side: Side) {
        self.side = side
        nextCallID = side == .host ? 1 : 2
    }

    /// Calls of this side that somebody waits for.
    var callsInFlight: Int { waiting.count - abandonedCount }
    /// Calls of the peer without an answer.
    var callsServed: Int { served.count + assembling.count }
    /// Whether nothing is under way or waiting to be sent.
    var isIdle: Bool { callsInFlight == 0 && callsServed == 0 && !hasRecords }

    private var maximumInFlight: Int {
        side == .host ? Limits.maximumCallsInFlight : Limits.maximumCallbacksInFlight
    }

    // MARK: Calls of this side

    /// Queues a request; its id is greater than those before.
    mutating func start(
        _ body: [UInt8], waiter: Waiter, deadline: MonotonicInstant
    ) -> Result<UInt32, CallFailure> {
        guard body.count <= Limits.maximumMessageBytes else { return .failure(.tooLarge) }
        guard callsInFlight < maximumInFlight, abandonedCount < Limits.maximumAbandonedCalls else {
            return .failure(.tooManyInFlight)
        }
        guard nextCallID < .max - 2 else { return .failure(.sessionExpired) }
        let id = nextCallID
        nextCallID += 2
        waiting[id] = Waiting(waiter: waiter, deadline: deadline)
        nextDeadline = min(nextDeadline, deadline)
        enqueue(Message(callID: id, kind: .request, body: body))
        return .success(id)
    }

    /// Gives up a call; returns its waiter, or nil when it is over already.
    mutating func abandon(_ callID: UInt32) -> Waiter? {
        guard let entry = waiting[callID], !entry.isAbandoned else { return nil }
        if pending[Traffic(of: callID)].remove(where: { $0.callID == callID }) != nil {
            waiting[callID] = nil
            return entry.waiter
        }
        if let unsent = active.remove(where: { $0.callID == callID && $0.kind == .request }) {
            sendCredit[Traffic(of: callID)] += unsent.body.count - unsent.sentBytes
            if unsent.sentBytes == 0 {
                waiting[callID] = nil
                return entry.waiter
            }
        }
        release(Consumption(traffic: Traffic(of: callID), bytes: entry.assembly.count))
        waiting[callID]?.assembly = []
        waiting[callID]?.isAbandoned = true
        abandonedCount += 1
        control.append(Message(callID: callID, kind: .cancel, body: []))
        return entry.waiter
    }

    /// Gives up what is overdue at `now`: returns waiters of this side, and calls of the peer to be cancelled.
    mutating func expire(_ now: MonotonicInstant) -> (timedOut: [Waiter], overdue: [Serving]) {
        guard now >= nextDeadline else { return ([], []) }
        var timedOut: [Waiter] = []
        for id in waiting.filter({ !$0.value.isAbandoned && $0.value.deadline <= now }).keys.sorted() {
            if let waiter = abandon(id) { timedOut.append(waiter) }
        }
        var overdue: [Serving] = []
        for (id, entry) in served where !entry.isCancelled && entry.deadline <= now {
            served[id]?.isCancelled = true
            if let serving = entry.serving { overdue.append(serving) }
        }
        nextDeadline = .distantFuture
        for entry in waiting.values where !entry.isAbandoned { nextDeadline = min(nextDeadline, entry.deadline) }
        for entry in served.values where !entry.isCancelled { nextDeadline = min(nextDeadline, entry.deadline) }
        return (timedOut, overdue)
    }

    // MARK: Calls of the peer

    /// Remembers what belongs to a request that `receive` returned.
    mutating func attach(_ serving: Serving, to callID: UInt32, deadline: MonotonicInstant) {
        served[callID]?.serving = serving
        served[callID]?.deadline = deadline
        nextDeadline = min(nextDeadline, deadline)
    }

    /// Queues the answer to a request; a second one is ignored.
    mutating func answer(_ callID: UInt32, _ result: Result<[UInt8], EnclaveFailure>) {
        guard let entry = served.removeValue(forKey: callID) else { return }
        release(Consumption(traffic: Traffic(of: callID), bytes: entry.bytes))
        if entry.isCancelled { return fail(callID, EnclaveFailure(.cancelled)) }
        switch result {
        case .success(let body) where body.count <= Limits.maximumMessageBytes:
            enqueue(Message(callID: callID, kind: .response, body: body))
        case .success: fail(callID, EnclaveFailure(.internalFailure))
        case .failure(let failure): fail(callID, failure)
        }
    }

    /// Returns the credit of an answer that the waiter has.
    mutating func consumed(_ consumption: Consumption) { release(consumption) }

    /// Ends everything: returns the waiters of this side and the calls of the peer that were under way.
    mutating func end() -> (waiters: [Waiter], serving: [Serving]) {
        let waiters = waiting.sorted { $0.key < $1.key }.filter { !$0.value.isAbandoned }.map(\.value.waiter)
        let serving = served.values.filter { !$0.isCancelled }.compactMap(\.serving)
        self = CallMultiplexer(side: side)
        return (waiters, serving)
    }

    func isMine(_ callID: UInt32) -> Bool { callID % 2 == nextCallID % 2 }

    mutating func fail(_ callID: UInt32, _ failure: EnclaveFailure) {
        control.append(Message(callID: callID, kind: .error, body: failure.encoded()))
    }

    mutating func release(_ consumption: Consumption) { returnable[consumption.traffic] += consumption.bytes }
}

extension CallMultiplexer: Sendable where Waiter: Sendable, Serving: Sendable {}
extension CallMultiplexer.Action: Sendable where Waiter: Sendable, Serving: Sendable {}
extension CallMultiplexer.Waiting: Sendable where Waiter: Sendable, Serving: Sendable {}
extension CallMultiplexer.Served: Sendable where Waiter: Sendable, Serving: Sendable {}
extension CallMultiplexer.Message: Sendable where Waiter: Sendable, Serving: Sendable {}
extension CallMultiplexer.Consumption: Sendable where Waiter: Sendable, Serving: Sendable {}
extension PerTraffic: Sendable where Value: Sendable {}
