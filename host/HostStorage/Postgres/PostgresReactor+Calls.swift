/// Taking calls in, giving them to connections, and ending them.
extension PostgresReactor {
    /// Postgres is known to be away: whoever asks is told at once.
    private var isAway: Bool { failures > 0 }

    private func isHopeless(_ kind: PostgresConnectionKind) -> Bool {
        isAway && !slots.contains { $0.kind == kind && $0.connection != nil }
    }

    private var waitingCount: Int { waiting.values.reduce(acquisitions.count) { $0 + $1.count } }

    func accept(_ request: PostgresLoop.Request) {
        let call = PostgresCall(request)
        if case .held(let lease) = request.target {
            guard let connection = connection(of: lease) else { return call.answer(.failure(.unavailable)) }
            calls[call.id] = call
            return send(call, on: lease.slot, connection)
        }
        let kind: PostgresConnectionKind = request.statement.way == .read ? .shared : .exclusive
        guard !isHopeless(kind), waitingCount < StorageLimits.waitingCalls else {
            return call.answer(.failure(.unavailable))
        }
        calls[call.id] = call
        waiting[kind, default: FIFO()].append(call)
    }

    func accept(_ acquisition: PostgresLoop.Acquisition) {
        guard !isHopeless(.exclusive), waitingCount < StorageLimits.waitingCalls else {
            return acquisition.continuation.resume(returning: .failure(.unavailable))
        }
        acquisitions.append(acquisition)
    }

    /// Hands waiting calls to connections that have room.
    func dispatchWaiting() {
        let depth = configuration.usePreparedStatements ? StorageLimits.pipelineDepth : 1
        while let call = next(.shared) {
            let free = slots.indices.filter {
                slots[$0].kind == .shared && (slots[$0].connection?.sent.count ?? depth) < depth
            }
            let idlest = free.min { (slots[$0].connection?.sent.count ?? 0) < (slots[$1].connection?.sent.count ?? 0) }
            guard let idlest, let connection = slots[idlest].connection else { break }
            _ = waiting[.shared]?.popFirst()
            send(call, on: idlest, connection)
        }
        // Transactions first: they hold nothing yet, and single writes are short.
        while let slot = freeExclusive(), let connection = slots[slot].connection {
            if let acquisition = acquisitions.popFirst() {
                slots[slot].isTaken = true
                leased.insert(slot)
                let lease = PostgresLoop.Lease(slot: slot, connection: connection.number)
                acquisition.continuation.resume(returning: .success(lease))
            } else if let call = next(.exclusive) {
                _ = waiting[.exclusive]?.popFirst()
                slots[slot].isTaken = true
                send(call, on: slot, connection)
            } else {
                break
            }
        }
    }

    /// The oldest waiting call that somebody still waits for.
    private func next(_ kind: PostgresConnectionKind) -> PostgresCall? {
        while let call = waiting[kind]?.first {
            guard call.isAnswered else { return call }
            _ = waiting[kind]?.popFirst()
        }
        return nil
    }

    private func freeExclusive() -> Int? {
        slots.indices.last { slots[$0].kind == .exclusive && !slots[$0].isTaken && slots[$0].connection != nil }
    }

    private func send(_ call: PostgresCall, on slot: Int, _ connection: PostgresConnection) {
        _ = connection.send(call)
        settle(slot, connection)
    }

    /// All of a call's answers are in.
    func finished(_ call: PostgresCall, on slot: Int, _ connection: PostgresConnection) {
        let isHeld = leased.contains(slot)
        if let failure = call.failure, connection.isStale(failure), !call.repeated, !isHeld, !call.isAnswered {
            call.repeated = true
            _ = connection.send(call)
            return
        }
        call.place = .over
        calls[call.id] = nil
        if slots[slot].kind == .exclusive, !isHeld { slots[slot].isTaken = false }
        call.answer(call.failure.map { .failure($0.storageError) } ?? .success(call.rows))
    }

    /// Its caller no longer waits. On a connection of its own the statement is ended by closing that connection.
    func giveUp(_ call: PostgresCall, _ reason: StorageError) {
        call.answer(.failure(reason))
        calls[call.id] = nil
        guard call.place == .sent else { return }
        for index in slots.indices where slots[index].kind == .exclusive {
            if let first = slots[index].connection?.sent.first, first === call { drop(index, .unavailable) }
        }
    }

    func cancel(_ id: UInt64) {
        if let call = calls[id] { return giveUp(call, .cancelled) }
        acquisitions.removeAll { acquisition in
            guard acquisition.id == id else { return false }
            acquisition.continuation.resume(returning: .failure(.cancelled))
            return true
        }
    }

    // MARK: - Connections

    func connection(of lease: PostgresLoop.Lease) -> PostgresConnection? {
        guard let connection = slots[lease.slot].connection, connection.number == lease.connection else { return nil }
        return connection
    }

    func release(_ lease: PostgresLoop.Lease, healthy: Bool) {
        guard let connection = connection(of: lease) else { return }
        leased.remove(lease.slot)
        guard healthy, connection.sent.isEmpty else { return drop(lease.slot, .unavailable) }
        slots[lease.slot].isTaken = false
    }

    /// Closes a connection; what it carried fails.
    func drop(_ slot: Int, _ reason: StorageError) {
        guard let connection = slots[slot].connection else { return }
        slots[slot].state = .closed
        slots[slot].isTaken = false
        leased.remove(slot)
        for call in connection.takeSent() {
            calls[call.id] = nil
            // A server that said why it ends the connection has already classed the oldest call.
            call.answer(.failure(call.failure?.storageError ?? reason))
        }
    }

    /// Connecting failed: whoever waits for a kind of connection of which none is left is told.
    func refuseHopeless() {
        for kind in [PostgresConnectionKind.shared, .exclusive] where isHopeless(kind) {
            for call in waiting[kind]?.removeAll() ?? [] {
                calls[call.id] = nil
                call.answer(.failure(.unavailable))
            }
        }
        guard isHopeless(.exclusive) else { return }
        for acquisition in acquisitions.removeAll() {
            acquisition.continuation.resume(returning: .failure(.unavailable))
        }
    }
}
