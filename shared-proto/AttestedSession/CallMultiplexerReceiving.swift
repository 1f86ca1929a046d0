internal import EnclaveProtocol

extension CallMultiplexer {
    /// Longest encoding of an `EnclaveFailure`.
    private static var maximumErrorBytes: Int { 32 }
    /// Calls of the peer in progress: those it waits for and those it gave up.
    private var maximumServed: Int {
        side == .host ? Limits.maximumCallbacksServed : Limits.maximumCallsServed
    }

    /// Takes one record that was decrypted.
    mutating func receive(
        _ header: RecordHeader, _ chunk: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> Action {
        guard control.count < Limits.maximumControlRecords else { throw .tooManyCalls }
        switch header.kind {
        case .request: return try unsafe receiveRequest(header, chunk)
        case .response: return try unsafe receiveResponse(header, chunk)
        case .error: return try unsafe receiveError(header, chunk)
        case .cancel: return try receiveCancel(header, bytes: chunk.count)
        case .credit:
            try unsafe receiveCredit(header, chunk)
            return .none
        }
    }

    private mutating func receiveRequest(
        _ header: RecordHeader, _ chunk: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> Action {
        let id = header.callID
        guard !isMine(id) else { throw .callID }
        try hold(chunk.count, header)
        if id > lastPeerCallID {
            guard callsServed + queuedAnswers.count < maximumServed else { throw .tooManyCalls }
            lastPeerCallID = id
            guard header.hasMore else { return unsafe serve(id, Array(chunk)) }
            assembling[id] = unsafe Array(chunk)
            return .none
        }
        guard let count = assembling[id]?.count else { throw .callID }
        guard count + chunk.count <= Limits.maximumMessageBytes else { throw .messageTooLarge }
        unsafe assembling[id]?.append(contentsOf: chunk)
        guard !header.hasMore, let body = assembling.removeValue(forKey: id) else { return .none }
        return serve(id, body)
    }

    private mutating func serve(_ callID: UInt32, _ body: [UInt8]) -> Action {
        guard queuedAnswers.bytes <= Limits.maximumQueuedAnswerBytes else {
            release(Consumption(traffic: Traffic(of: callID), bytes: body.count))
            fail(callID, EnclaveFailure(.overloaded))
            return .none
        }
        served[callID] = Served(bytes: body.count)
        return .request(callID: callID, body: body)
    }

    private mutating func receiveResponse(
        _ header: RecordHeader, _ chunk: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> Action {
        let id = header.callID
        guard isMine(id), let index = waiting.index(forKey: id), !isUnsent(id) else { throw .unexpectedAnswer }
        try hold(chunk.count, header)
        let received = waiting.values[index].receivedBytes + chunk.count
        guard received <= Limits.maximumMessageBytes else { throw .messageTooLarge }
        let consumption = Consumption(traffic: Traffic(of: id), bytes: chunk.count)
        if waiting.values[index].isAbandoned {
            release(consumption)
            waiting.values[index].receivedBytes = received
            if !header.hasMore {
                waiting.remove(at: index)
                abandonedCount -= 1
            }
            return .none
        }
        if received == chunk.count, !header.hasMore {
            let entry = waiting.remove(at: index).value
            return unsafe .answer(entry.waiter, .success(Array(chunk)), consumption)
        }
        waiting.values[index].receivedBytes = received
        unsafe waiting.values[index].assembly.append(contentsOf: chunk)
        guard !header.hasMore else { return .none }
        let entry = waiting.remove(at: index).value
        return .answer(
            entry.waiter, .success(entry.assembly), Consumption(traffic: consumption.traffic, bytes: received))
    }

    private mutating func receiveError(
        _ header: RecordHeader, _ chunk: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> Action {
        guard !header.hasMore, chunk.count <= Self.maximumErrorBytes,
            let failure = unsafe try? EnclaveFailure(decoding: Array(chunk))
        else { throw .malformedRecord }
        let id = header.callID
        guard isMine(id), let entry = waiting[id], entry.receivedBytes == 0, !isUnsent(id) else {
            throw .unexpectedAnswer
        }
        waiting[id] = nil
        guard entry.isAbandoned else {
            return .answer(entry.waiter, .failure(failure), Consumption(traffic: Traffic(of: id), bytes: 0))
        }
        abandonedCount -= 1
        return .none
    }

    private mutating func receiveCancel(_ header: RecordHeader, bytes: Int) throws(ProtocolViolation) -> Action {
        guard !header.hasMore, bytes == 0 else { throw .malformedRecord }
        let id = header.callID
        guard !isMine(id), id > 0, id <= lastPeerCallID else { throw .callID }
        if let partial = assembling.removeValue(forKey: id) {
            release(Consumption(traffic: Traffic(of: id), bytes: partial.count))
            fail(id, EnclaveFailure(.cancelled))
            return .none
        }
        guard let entry = served[id], !entry.isCancelled else { return .none }
        served[id]?.isCancelled = true
        return entry.serving.map(Action.cancelled) ?? .none
    }

    private mutating func receiveCredit(
        _ header: RecordHeader, _ chunk: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) {
        guard !header.hasMore, chunk.count == 4, let traffic = Traffic(rawValue: header.callID) else {
            throw .malformedRecord
        }
        let amount = unsafe Int(UInt32(bigEndian: chunk.loadUnaligned(as: UInt32.self)))
        guard sendCredit[traffic] + amount <= Limits.creditWindowBytes else { throw .credit }
        sendCredit[traffic] += amount
    }

    private mutating func hold(_ bytes: Int, _ header: RecordHeader) throws(ProtocolViolation) {
        // An empty chunk that promises more would cost nothing and so could be sent for ever.
        guard bytes > 0 || !header.hasMore else { throw .malformedRecord }
        let traffic = Traffic(of: header.callID)
        guard held[traffic] + bytes <= Limits.creditWindowBytes else { throw .credit }
        held[traffic] += bytes
    }

    /// Whether a request of this side is not on the wire as a whole.
    private func isUnsent(_ callID: UInt32) -> Bool {
        pending[Traffic(of: callID)].contains { $0.callID == callID } || active.contains { $0.callID == callID }
    }
}
