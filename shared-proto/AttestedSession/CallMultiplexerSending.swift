internal import EnclaveProtocol

/// A record to encrypt and send: the header and a part of a body.
struct OutgoingRecord: Equatable, Sendable {
    let header: RecordHeader
    let body: [UInt8]
    let range: Range<Int>
}

extension CallMultiplexer {
    /// Queues a message until its whole size fits the credit, in order with those before it.
    mutating func enqueue(_ message: Message) {
        let traffic = Traffic(of: message.callID)
        if message.kind == .response {
            queuedAnswers.count += 1
            queuedAnswers.bytes += message.body.count
        }
        if pending[traffic].isEmpty, sendCredit[traffic] >= message.body.count {
            sendCredit[traffic] -= message.body.count
            active.append(message)
        } else {
            pending[traffic].append(message)
        }
    }

    /// Whether `nextRecord` would return one.
    var hasRecords: Bool {
        !control.isEmpty || !active.isEmpty || owesCredit(.calls) || owesCredit(.callbacks)
            || canActivate(.calls) || canActivate(.callbacks)
    }

    /// Takes the next record to send: credit, then errors and cancellations, then one chunk of each message in turn.
    mutating func nextRecord() -> OutgoingRecord? {
        if owesCredit(.calls) { return creditRecord(.calls) }
        if owesCredit(.callbacks) { return creditRecord(.callbacks) }
        if let message = control.popFirst() {
            let header = RecordHeader(callID: message.callID, kind: message.kind, hasMore: false)
            return OutgoingRecord(header: header, body: message.body, range: 0..<message.body.count)
        }
        activate(.calls)
        activate(.callbacks)
        guard var message = active.popFirst() else { return nil }
        let start = message.sentBytes
        let end = min(start + Limits.maximumChunkBytes, message.body.count)
        let hasMore = end < message.body.count
        if hasMore {
            message.sentBytes = end
            active.append(message)
        } else if message.kind == .response {
            queuedAnswers.count -= 1
            queuedAnswers.bytes -= message.body.count
        }
        let header = RecordHeader(callID: message.callID, kind: message.kind, hasMore: hasMore)
        return OutgoingRecord(header: header, body: message.body, range: start..<end)
    }

    /// The record that a host sends first, so that the enclave knows the session is alive: no credit, for calls.
    static var confirmation: OutgoingRecord {
        OutgoingRecord(
            header: RecordHeader(callID: Traffic.calls.rawValue, kind: .credit, hasMore: false),
            body: [0, 0, 0, 0], range: 0..<4)
    }

    private func owesCredit(_ traffic: Traffic) -> Bool { returnable[traffic] >= Limits.creditReturnBytes }

    private mutating func creditRecord(_ traffic: Traffic) -> OutgoingRecord {
        let amount = returnable[traffic]
        returnable[traffic] = 0
        held[traffic] -= amount
        let header = RecordHeader(callID: traffic.rawValue, kind: .credit, hasMore: false)
        return OutgoingRecord(header: header, body: frameLengthBytes(amount), range: 0..<4)
    }

    private func canActivate(_ traffic: Traffic) -> Bool {
        pending[traffic].first.map { $0.body.count <= sendCredit[traffic] } ?? false
    }

    private mutating func activate(_ traffic: Traffic) {
        while canActivate(traffic), let message = pending[traffic].popFirst() {
            sendCredit[traffic] -= message.body.count
            active.append(message)
        }
    }
}
