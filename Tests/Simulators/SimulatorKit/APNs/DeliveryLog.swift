/// The notifications that arrived, oldest first; waiting ones hear of each new one.
actor DeliveryLog {
    /// Most notifications kept; the oldest go.
    static let maximum = 100_000

    struct Key: Hashable {
        var deviceToken: String
        /// The collapse id where there is one: two sends under it show as one.
        var id: String
    }

    private var deliveries: [Delivery] = []
    private var positions: [Key: Int] = [:]
    private var dropped = 0
    private var sequence = 0
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0

    /// Counts a repeat, or appends a new notification and wakes those who wait.
    func record(_ new: Delivery) {
        let key = Key(deviceToken: new.deviceToken, id: new.collapseID ?? new.id)
        if !key.id.isEmpty, let position = positions[key], position >= dropped {
            let old = deliveries[position - dropped]
            deliveries[position - dropped].count += 1
            deliveries[position - dropped].lastUnixMilliseconds = new.lastUnixMilliseconds
            deliveries[position - dropped].contentChanged =
                old.contentChanged || old.title != new.title || old.body != new.body
            return
        }
        sequence += 1
        var added = new
        added.sequence = sequence
        positions[key] = dropped + deliveries.count
        deliveries.append(added)
        if deliveries.count > Self.maximum {
            deliveries.removeFirst(Self.maximum / 10)
            dropped += Self.maximum / 10
            positions = positions.filter { $0.value >= dropped }
        }
        wakeAll()
    }

    func all() -> [Delivery] {
        deliveries
    }

    /// Forgets everything but the sequence number, so that `after` keeps its meaning.
    func clear() {
        dropped += deliveries.count
        deliveries = []
        positions = [:]
    }

    /// The first notification after `sequence`, waiting for it at most `deadline`.
    func next(after sequence: Int, within deadline: Duration) async -> Delivery? {
        let limit = ContinuousClock.now + deadline
        while true {
            if let found = deliveries.first(where: { $0.sequence > sequence }) { return found }
            guard ContinuousClock.now < limit, !Task.isCancelled else { return nil }
            await change(until: limit)
        }
    }

    /// Returns at the next new notification, at `limit`, or when the task is cancelled.
    private func change(until limit: ContinuousClock.Instant) async {
        let id = nextWaiter
        nextWaiter += 1
        let alarm = Task {
            try? await Task.sleep(until: limit, clock: .continuous)
            wake(id)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { continuation.resume() } else { waiters[id] = continuation }
            }
        } onCancel: {
            alarm.cancel()
        }
        alarm.cancel()
    }

    private func wake(_ id: Int) {
        waiters.removeValue(forKey: id)?.resume()
    }

    private func wakeAll() {
        for id in Array(waiters.keys) { wake(id) }
    }
}
