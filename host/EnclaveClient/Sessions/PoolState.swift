internal import AttestedSession
internal import EnclaveProtocol

/// What a `SessionPool` knows, without any I/O: sessions with the calls in flight on them, and the queue.
struct PoolState {
    enum Phase { case idle, running, closed }

    struct Entry {
        let link: SessionLink
        let session: Session
        var inFlight = 0
        /// Takes new calls: not replaced, not seen to be over.
        var isUsable = true
    }

    /// What to do after the lock is released.
    struct Work {
        var startable: [(PendingCall, Session)] = []
        var late: [PendingCall] = []
    }

    /// Most calls that wait for a place; beyond, a call fails as `overloaded`.
    static let maximumQueuedCalls = 8192

    var phase = Phase.idle
    var entries: [Entry] = []
    /// Why the last try to connect failed, while there is no session.
    var failure: EnclaveCallError?
    var identity: String?
    private var queue: [PendingCall] = []
    /// Calls of `queue` before this index have left it.
    private var queueHead = 0

    var queuedCount: Int { queue.count - queueHead }
    var hasUsable: Bool { entries.contains(where: \.isUsable) }

    /// Lets a call wait; false when too many do.
    mutating func append(_ pending: PendingCall) -> Bool {
        if queuedCount >= Self.maximumQueuedCalls { compactQueue { _ in true } }
        guard queuedCount < Self.maximumQueuedCalls else { return false }
        queue.append(pending)
        return true
    }

    /// The waiting calls whose deadline has passed; they wait no longer.
    mutating func takeLate(at now: MonotonicInstant) -> [PendingCall] {
        let late = queue[queueHead...].filter { $0.call.deadline <= now }
        if !late.isEmpty { compactQueue { $0.call.deadline > now } }
        return late
    }

    func index(of session: Session) -> Int? { entries.firstIndex { $0.session === session } }

    func leastBusy(at now: MonotonicInstant) -> Int? {
        entries.indices.filter { index in
            let entry = entries[index]
            return entry.isUsable && entry.inFlight < Limits.maximumCallsInFlight && now < entry.session.expiresAt
        }.min { entries[$0].inFlight < entries[$1].inFlight }
    }

    /// The calls at the head of the queue for which there are places, counted as in flight already.
    mutating func takeStartable() -> Work {
        var work = Work()
        guard queuedCount > 0 else { return work }
        let now = MonotonicInstant.now
        while queuedCount > 0, let index = leastBusy(at: now) {
            let pending = queue[queueHead]
            queueHead += 1
            if pending.isFinished { continue }
            guard pending.call.deadline > now else {
                work.late.append(pending)
                continue
            }
            entries[index].inFlight += 1
            work.startable.append((pending, entries[index].session))
        }
        if queueHead > 256 || queueHead == queue.count {
            queue.removeFirst(queueHead)
            queueHead = 0
        }
        return work
    }

    mutating func putFirst(_ pending: PendingCall) { queue.insert(pending, at: queueHead) }

    private mutating func compactQueue(keeping keep: (PendingCall) -> Bool) {
        queue = queue[queueHead...].filter { !$0.isFinished && keep($0) }
        queueHead = 0
    }

    mutating func takeQueue() -> [PendingCall] {
        let waiting = Array(queue[queueHead...])
        queue = []
        queueHead = 0
        return waiting
    }
}
