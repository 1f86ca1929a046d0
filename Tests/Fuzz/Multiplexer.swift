import EnclaveProtocol

@testable import AttestedSession

/// Two honest sides that do what the input says, or one that gets any records from a hostile peer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMultiplexer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = Input(start, count)
    let mode = input.byte()
    if mode % 2 == 0 {
        var pair = HonestPair()
        for _ in 0..<2000 where !input.isEmpty { pair.step(&input) }
        pair.finish()
    } else {
        var side = AttackedSide(mode % 4 == 1 ? .enclave : .host)
        for _ in 0..<2000 where !input.isEmpty { guard side.step(&input) else { break } }
    }
    return 0
}

private typealias Multiplexer = CallMultiplexer<UInt32, UInt32>

/// Sizes of bodies: nothing, one record, many records, the largest, too large.
private let bodies: [[UInt8]] = [0, 1, 200, 65_513, 65_514, 300_000, Limits.maximumMessageBytes, 2_000_000]
    .map { [UInt8](repeating: 1, count: $0) }

private func receive(
    _ header: RecordHeader, _ chunk: ArraySlice<UInt8>, by side: inout Multiplexer
) -> Result<Multiplexer.Action, ProtocolViolation> {
    chunk.withUnsafeBytes { bytes in
        do throws(ProtocolViolation) {
            return .success(try side.receive(header, bytes))
        } catch {
            return .failure(error)
        }
    }
}

private func checkBounds(_ side: Multiplexer) {
    for traffic in [Traffic.calls, .callbacks] {
        precondition((0...Limits.creditWindowBytes).contains(side.sendCredit[traffic]), "credit to send")
        precondition((0...Limits.creditWindowBytes).contains(side.held[traffic]), "bytes held")
        precondition((0...side.held[traffic]).contains(side.returnable[traffic]), "bytes to give back")
    }
    precondition(side.assembling.values.reduce(0) { $0 + $1.count } <= 2 * Limits.creditWindowBytes)
    precondition(side.waiting.values.reduce(0) { $0 + $1.assembly.count } <= 2 * Limits.creditWindowBytes)
    precondition(side.callsServed <= Limits.maximumCallbacksServed)
    precondition(side.abandonedCount == side.waiting.values.count { $0.isAbandoned })
}

/// A multiplexer, what it has been asked, and what is on its way to it.
private struct HonestSide {
    var multiplexer: Multiplexer
    var arriving: [OutgoingRecord] = []
    var started: [UInt32] = []
    var asked: [UInt32] = []
    var unconsumed: [Multiplexer.Consumption] = []
    /// Calls that are over; each ends once.
    var ended: Set<UInt32> = []

    init(_ side: Multiplexer.Side) { multiplexer = Multiplexer(side: side) }

    mutating func end(_ id: UInt32) { precondition(ended.insert(id).inserted, "call \(id) ended twice") }

    mutating func take(_ record: OutgoingRecord) {
        do throws(ProtocolViolation) {
            let action = try receive(record.header, record.body[record.range], by: &multiplexer).get()
            switch action {
            case .none: break
            case .request(let id, _):
                multiplexer.attach(id, to: id, deadline: MonotonicInstant(nanoseconds: UInt64(id) * 1000))
                asked.append(id)
            case .answer(let id, _, let consumption):
                end(id)
                unconsumed.append(consumption)
            case .cancelled: break
            }
        } catch {
            preconditionFailure("an honest side broke the protocol: \(error) by \(record.header)")
        }
        checkBounds(multiplexer)
    }
}

private struct HonestPair {
    private var sides = [HonestSide(.host), HonestSide(.enclave)]
    private var clock: UInt64 = 0

    mutating func step(_ input: inout Input) {
        let order = input.byte()
        let side = Int(order & 1)
        let choice = input.byte()
        switch order >> 1 & 7 {
        case 0:
            let id = sides[side].multiplexer.nextCallID
            let deadline = MonotonicInstant(nanoseconds: clock + UInt64(choice) * 1000)
            if case .success(let started) = sides[side].multiplexer.start(
                bodies[Int(choice % 8)], waiter: id, deadline: deadline)
            {
                sides[side].started.append(started)
            }
        case 1, 2: send(from: side, records: Int(choice % 16) + 1)
        case 3, 4: deliver(to: side, records: Int(choice % 16) + 1)
        case 5:
            guard let id = take(&sides[side].asked, choice) else { break }
            let failure = Result<[UInt8], EnclaveFailure>.failure(EnclaveFailure(.timedOut))
            sides[side].multiplexer.answer(id, choice % 5 == 0 ? failure : .success(bodies[Int(choice % 8)]))
        case 6:
            if choice % 2 == 0, let id = take(&sides[side].started, choice) {
                if let waiter = sides[side].multiplexer.abandon(id) { sides[side].end(waiter) }
            } else if let consumption = take(&sides[side].unconsumed, choice) {
                sides[side].multiplexer.consumed(consumption)
            }
        default:
            clock += UInt64(choice) * 10
            for waiter in sides[side].multiplexer.expire(MonotonicInstant(nanoseconds: clock)).timedOut {
                sides[side].end(waiter)
            }
        }
        checkBounds(sides[side].multiplexer)
    }

    /// Everything is sent, answered and consumed; then nothing may be left.
    mutating func finish() {
        for _ in 0..<20_000 {
            var isBusy = false
            for side in 0...1 {
                send(from: side, records: 64)
                isBusy = isBusy || !sides[side].arriving.isEmpty
                deliver(to: side, records: 64)
                while let id = sides[side].asked.popLast() {
                    sides[side].multiplexer.answer(id, .success([]))
                    isBusy = true
                }
                while let consumption = sides[side].unconsumed.popLast() {
                    sides[side].multiplexer.consumed(consumption)
                }
                isBusy = isBusy || sides[side].multiplexer.hasRecords || !sides[1 - side].arriving.isEmpty
            }
            if !isBusy { break }
        }
        for side in sides {
            precondition(side.multiplexer.waiting.isEmpty && side.multiplexer.served.isEmpty, "calls are left")
            precondition(side.multiplexer.assembling.isEmpty && !side.multiplexer.hasRecords, "records are left")
        }
    }

    private mutating func send(from side: Int, records: Int) {
        for _ in 0..<records {
            guard let record = sides[side].multiplexer.nextRecord() else { return }
            sides[1 - side].arriving.append(record)
        }
    }

    private mutating func deliver(to side: Int, records: Int) {
        let records = sides[side].arriving.prefix(records)
        sides[side].arriving.removeFirst(records.count)
        for record in records { sides[side].take(record) }
    }

    private func take<Element>(_ list: inout [Element], _ choice: UInt8) -> Element? {
        list.isEmpty ? nil : list.remove(at: Int(choice) % list.count)
    }
}

/// One side whose peer sends whatever decrypts.
private struct AttackedSide {
    private var multiplexer: Multiplexer
    private var asked: [UInt32] = []
    private var seen: Set<UInt32> = []

    init(_ side: Multiplexer.Side) { multiplexer = Multiplexer(side: side) }

    /// False when the session would be over.
    mutating func step(_ input: inout Input) -> Bool {
        let order = input.byte()
        switch order % 8 {
        case 0: _ = multiplexer.start(bodies[Int(order >> 3) % 8], waiter: 0, deadline: .distantFuture)
        case 1: while multiplexer.nextRecord() != nil {}
        case 2: if let id = asked.popLast() { multiplexer.answer(id, .success(bodies[Int(order >> 3) % 8])) }
        default:
            guard let header = RecordHeader(input.take(6)) else { return true }
            // Ids are drawn together, so that chunks and answers meet their calls.
            let near = RecordHeader(callID: header.callID % 64, kind: header.kind, hasMore: header.hasMore)
            let chunk = order >> 3 < 16 ? input.take(Int(order >> 3)) : bodies[Int(order >> 3) % 4]
            do throws(ProtocolViolation) {
                let action = try receive(near, chunk[...], by: &multiplexer).get()
                switch action {
                case .request(let id, let body):
                    precondition(seen.insert(id).inserted, "request \(id) twice")
                    precondition(body.count <= Limits.maximumMessageBytes)
                    multiplexer.attach(id, to: id, deadline: .distantFuture)
                    asked.append(id)
                case .answer(_, _, let consumption): multiplexer.consumed(consumption)
                case .none, .cancelled: break
                }
            } catch {
                _ = multiplexer.end()
                return false
            }
        }
        checkBounds(multiplexer)
        return true
    }
}
