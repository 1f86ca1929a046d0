import EnclaveProtocol
import Testing

@testable import AttestedSession

/// The state machine alone: records and calls in, actions and records out.
struct MultiplexerTests {
    typealias Machine = CallMultiplexer<String, String>
    private let later = MonotonicInstant(nanoseconds: 1_000_000)

    private func receive(
        _ machine: inout Machine, _ id: UInt32, _ kind: RecordKind, _ body: [UInt8] = [], more: Bool = false
    ) throws(ProtocolViolation) -> Machine.Action {
        let header = RecordHeader(callID: id, kind: kind, hasMore: more)
        var copy = machine
        let result: Result<Machine.Action, ProtocolViolation> = unsafe body.withUnsafeBytes { chunk in
            do throws(ProtocolViolation) {
                return .success(unsafe try copy.receive(header, chunk))
            } catch {
                return .failure(error)
            }
        }
        machine = copy
        return try result.get()
    }

    private func records(_ machine: inout Machine) -> [OutgoingRecord] {
        var all: [OutgoingRecord] = []
        while let record = machine.nextRecord() { all.append(record) }
        return all
    }

    private func next(_ machine: inout Machine) throws -> OutgoingRecord {
        let record = machine.nextRecord()
        return try #require(record)
    }

    private func abandon(_ machine: inout Machine, _ callID: UInt32) -> String? { machine.abandon(callID) }

    private func expire(_ machine: inout Machine, _ now: UInt64) -> (timedOut: [String], overdue: [String]) {
        machine.expire(MonotonicInstant(nanoseconds: now))
    }

    private func start(_ machine: inout Machine, _ body: [UInt8] = [1], _ waiter: String = "w") -> UInt32 {
        guard case .success(let id) = machine.start(body, waiter: waiter, deadline: later) else { return 0 }
        return id
    }

    private func isNone(_ action: Machine.Action) -> Bool { if case .none = action { true } else { false } }

    @Test func numbersCallsOddAndCallbacksEven() {
        var host = Machine(side: .host)
        var enclave = Machine(side: .enclave)
        #expect([start(&host), start(&host), start(&host)] == [1, 3, 5])
        #expect([start(&enclave), start(&enclave)] == [2, 4])
        #expect(records(&host).map(\.header.callID) == [1, 3, 5])
    }

    @Test func handsARequestOverAndItsAnswerBack() throws {
        var host = Machine(side: .host)
        var enclave = Machine(side: .enclave)
        _ = start(&host, [7, 8], "caller")
        let request = try next(&host)
        #expect(request.header == RecordHeader(callID: 1, kind: .request, hasMore: false))
        guard case .request(1, [7, 8]) = try receive(&enclave, 1, .request, request.body) else {
            Issue.record("no request")
            return
        }
        enclave.attach("serving", to: 1, deadline: later)
        #expect(!enclave.isIdle)
        enclave.answer(1, .success([9]))
        let response = try next(&enclave)
        #expect(response.header == RecordHeader(callID: 1, kind: .response, hasMore: false))
        guard case .answer("caller", .success([9]), let consumption) = try receive(&host, 1, .response, [9]) else {
            Issue.record("no answer")
            return
        }
        host.consumed(consumption)
        #expect(host.isIdle && enclave.isIdle)
    }

    @Test func refusesIdsOfTheWrongSideOrOrder() throws {
        var enclave = Machine(side: .enclave)
        #expect(throws: ProtocolViolation.callID) { try receive(&enclave, 2, .request) }
        #expect(throws: ProtocolViolation.callID) { try receive(&enclave, 0, .request) }
        _ = try receive(&enclave, 5, .request)
        #expect(throws: ProtocolViolation.callID) { try receive(&enclave, 3, .request) }
        #expect(throws: ProtocolViolation.callID) { try receive(&enclave, 5, .request) }
        #expect(throws: ProtocolViolation.callID) { try receive(&enclave, 7, .cancel) }
        #expect(throws: ProtocolViolation.callID) { try receive(&enclave, 4, .cancel) }
    }

    @Test func refusesAnswersThatNobodyWaitsFor() throws {
        var host = Machine(side: .host)
        #expect(throws: ProtocolViolation.unexpectedAnswer) { try receive(&host, 1, .response) }
        let id = start(&host)
        #expect(throws: ProtocolViolation.unexpectedAnswer) { try receive(&host, id, .response) }
        _ = records(&host)
        #expect(throws: ProtocolViolation.unexpectedAnswer) { try receive(&host, 2, .response) }
        _ = try receive(&host, id, .response)
        #expect(throws: ProtocolViolation.unexpectedAnswer) { try receive(&host, id, .response) }
    }

    @Test func refusesMalformedRecords() throws {
        var host = Machine(side: .host)
        let id = start(&host)
        _ = records(&host)
        #expect(throws: ProtocolViolation.malformedRecord) { try receive(&host, id, .error, [1, 2, 3]) }
        #expect(throws: ProtocolViolation.malformedRecord) { try receive(&host, id, .response, [], more: true) }
        #expect(throws: ProtocolViolation.malformedRecord) { try receive(&host, 2, .cancel, [1]) }
        #expect(throws: ProtocolViolation.malformedRecord) { try receive(&host, 2, .credit, [0, 0, 0, 0]) }
        #expect(throws: ProtocolViolation.malformedRecord) { try receive(&host, 0, .credit, [0, 0, 0]) }
        #expect(throws: ProtocolViolation.credit) { try receive(&host, 0, .credit, [0, 0x40, 0, 0]) }
    }

    @Test func refusesAMessageOverTheLimit() throws {
        var enclave = Machine(side: .enclave)
        let chunk = [UInt8](repeating: 0, count: Limits.maximumChunkBytes)
        #expect(throws: ProtocolViolation.messageTooLarge) {
            for _ in 0...(Limits.maximumMessageBytes / chunk.count) {
                _ = try receive(&enclave, 1, .request, chunk, more: true)
            }
        }
    }

    @Test func refusesMoreThanTheCreditWindow() throws {
        var enclave = Machine(side: .enclave)
        let chunk = [UInt8](repeating: 0, count: 64 * 1024)
        #expect(throws: ProtocolViolation.credit) {
            for index in UInt32(0)...64 { _ = try receive(&enclave, 2 * index + 1, .request, chunk) }
        }
        #expect(enclave.callsServed == 64)
    }

    @Test func refusesMoreCallsThanAnHonestPeerHas() throws {
        var enclave = Machine(side: .enclave)
        let most = Limits.maximumCallsServed
        for index in 0..<most { _ = try receive(&enclave, UInt32(2 * index + 1), .request) }
        #expect(throws: ProtocolViolation.tooManyCalls) { try receive(&enclave, UInt32(2 * most + 1), .request) }
    }

    @Test func cutsLargeBodiesAndLetsOthersBetween() throws {
        var host = Machine(side: .host)
        let size = 2 * Limits.maximumChunkBytes + 1
        _ = start(&host, [UInt8](repeating: 1, count: size))
        _ = start(&host, [2])
        let all = records(&host)
        #expect(all.map(\.header.callID) == [1, 3, 1, 1])
        #expect(all.map(\.header.hasMore) == [true, false, true, false])
        #expect(all.filter { $0.header.callID == 1 }.map(\.range.count).reduce(0, +) == size)
    }

    @Test func putsChunksTogether() throws {
        var enclave = Machine(side: .enclave)
        #expect(isNone(try receive(&enclave, 1, .request, [1, 2], more: true)))
        guard case .request(3, [9]) = try receive(&enclave, 3, .request, [9]),
            case .request(1, [1, 2, 3]) = try receive(&enclave, 1, .request, [3])
        else {
            Issue.record("wrong bodies")
            return
        }
    }

    @Test func waitsForCreditAndKeepsTheOrder() throws {
        var host = Machine(side: .host)
        let big = [UInt8](repeating: 1, count: 1024 * 1024)
        for _ in 0..<4 { _ = start(&host, big) }
        _ = start(&host, big)
        _ = start(&host, [1])
        var sent = Set(records(&host).map(\.header.callID))
        #expect(sent == [1, 3, 5, 7])
        #expect(!host.hasRecords)
        // Credit for one message of 1 MiB: the fifth goes, and the small one with it only if there is more.
        _ = try receive(&host, 0, .credit, [0, 0x10, 0, 0])
        sent = Set(records(&host).map(\.header.callID))
        #expect(sent == [9])
        _ = try receive(&host, 0, .credit, [0, 0x10, 0, 0])
        #expect(records(&host).map(\.header.callID) == [11])
    }

    @Test func keepsCallbacksApartFromTheCreditOfCalls() throws {
        var enclave = Machine(side: .enclave)
        let big = [UInt8](repeating: 1, count: 1024 * 1024)
        for index in 0..<UInt32(5) {
            _ = try receive(&enclave, 2 * index + 1, .request, [1])
            enclave.answer(2 * index + 1, .success(big))
        }
        _ = start(&enclave, [1])
        let sent = Set(records(&enclave).map(\.header.callID))
        #expect(sent == [1, 3, 5, 7, 2])
    }

    @Test func returnsCreditWhenMessagesAreConsumed() throws {
        var enclave = Machine(side: .enclave)
        let chunk = [UInt8](repeating: 0, count: 64 * 1024)
        for index in UInt32(0)..<16 { _ = try receive(&enclave, 2 * index + 1, .request, chunk) }
        #expect(!enclave.hasRecords)
        for index in UInt32(0)..<16 { enclave.answer(2 * index + 1, .success([])) }
        let credit = try next(&enclave)
        #expect(credit.header == RecordHeader(callID: 0, kind: .credit, hasMore: false))
        #expect(credit.body == [0, 0x10, 0, 0])
        #expect(records(&enclave).allSatisfy { $0.header.kind == .response })
    }

    @Test func unsentCallsDisappearWhenCancelled() {
        var host = Machine(side: .host)
        let id = start(&host, [1], "mine")
        #expect(abandon(&host, id) == "mine")
        #expect(abandon(&host, id) == nil)
        #expect(records(&host).isEmpty && host.isIdle)
        #expect(host.sendCredit.calls == Limits.creditWindowBytes)
    }

    @Test func halfSentCallsAreCancelledAtThePeer() throws {
        var host = Machine(side: .host)
        var enclave = Machine(side: .enclave)
        let id = start(&host, [UInt8](repeating: 1, count: 100_000))
        let first = try next(&host)
        #expect(isNone(try receive(&enclave, id, .request, Array(first.body[first.range]), more: true)))
        #expect(abandon(&host, id) == "w")
        #expect(host.sendCredit.calls == Limits.creditWindowBytes - first.range.count)
        #expect(records(&host).map(\.header.kind) == [.cancel])
        #expect(isNone(try receive(&enclave, id, .cancel)))
        let refusal = try next(&enclave)
        #expect(refusal.header.kind == .error)
        #expect(enclave.isIdle)
        #expect(isNone(try receive(&host, id, .error, refusal.body)))
        #expect(host.abandonedCount == 0 && host.waiting.isEmpty)
    }

    @Test func dropsTheLateAnswerOfACancelledCallOnce() throws {
        var host = Machine(side: .host)
        let id = start(&host)
        _ = records(&host)
        _ = host.abandon(id)
        #expect(records(&host).map(\.header.kind) == [.cancel])
        #expect(isNone(try receive(&host, id, .response, [1], more: true)))
        #expect(isNone(try receive(&host, id, .response, [2])))
        #expect(host.abandonedCount == 0)
        #expect(throws: ProtocolViolation.unexpectedAnswer) { try receive(&host, id, .response) }
    }

    @Test func boundsTheCallsThatWereGivenUp() {
        var host = Machine(side: .host)
        for _ in 0..<Limits.maximumAbandonedCalls {
            let id = start(&host)
            _ = records(&host)
            _ = host.abandon(id)
        }
        guard case .failure(.tooManyInFlight) = host.start([1], waiter: "w", deadline: later) else {
            Issue.record("one more was taken")
            return
        }
        #expect(host.waiting.count == Limits.maximumAbandonedCalls)
    }

    @Test func cancelsAServedCallOnceAndThenAnswersCancelled() throws {
        var enclave = Machine(side: .enclave)
        _ = try receive(&enclave, 1, .request)
        enclave.attach("serving", to: 1, deadline: later)
        guard case .cancelled("serving") = try receive(&enclave, 1, .cancel) else {
            Issue.record("not cancelled")
            return
        }
        #expect(isNone(try receive(&enclave, 1, .cancel)))
        enclave.answer(1, .success([1, 2, 3]))
        let record = try next(&enclave)
        #expect(try EnclaveFailure(decoding: record.body).code == .cancelled)
        #expect(isNone(try receive(&enclave, 1, .cancel)))
        #expect(records(&enclave).isEmpty)
    }

    @Test func expiresWhatIsOverdueAndNothingElse() throws {
        var enclave = Machine(side: .enclave)
        _ = enclave.start([1], waiter: "early", deadline: MonotonicInstant(nanoseconds: 10))
        _ = enclave.start([1], waiter: "late", deadline: MonotonicInstant(nanoseconds: 30))
        _ = try receive(&enclave, 1, .request)
        enclave.attach("serving", to: 1, deadline: MonotonicInstant(nanoseconds: 20))
        #expect(enclave.nextDeadline.nanoseconds == 10)
        #expect(expire(&enclave, 9).timedOut.isEmpty)
        #expect(expire(&enclave, 10).timedOut == ["early"])
        #expect(enclave.nextDeadline.nanoseconds == 20)
        let second = expire(&enclave, 30)
        #expect(second.timedOut == ["late"] && second.overdue == ["serving"])
        #expect(enclave.nextDeadline == .distantFuture)
    }

    @Test func closesOnAPeerThatMakesWorkAndDoesNotRead() throws {
        var enclave = Machine(side: .enclave)
        #expect(throws: ProtocolViolation.tooManyCalls) {
            for index in UInt32(0)..<2000 {
                _ = try receive(&enclave, 2 * index + 1, .request)
                enclave.answer(2 * index + 1, .failure(EnclaveFailure(.overloaded)))
            }
        }
    }

    @Test func closesOnAPeerThatLetsAnswersPileUp() throws {
        var enclave = Machine(side: .enclave)
        #expect(throws: ProtocolViolation.tooManyCalls) {
            for index in UInt32(0)..<2000 {
                _ = try receive(&enclave, 2 * index + 1, .request)
                enclave.answer(2 * index + 1, .success([1]))
            }
        }
    }

    @Test func takesNoMoreRequestsWhileLargeAnswersWaitForCredit() throws {
        var enclave = Machine(side: .enclave)
        let big = [UInt8](repeating: 1, count: 1024 * 1024)
        var id: UInt32 = 1
        while case .request = try receive(&enclave, id, .request, [1]), id < 100 {
            enclave.answer(id, .success(big))
            id += 2
        }
        #expect(enclave.queuedAnswers.bytes == Limits.maximumQueuedAnswerBytes + big.count)
        let refusal = try next(&enclave)
        #expect(try refusal.header.callID == id && EnclaveFailure(decoding: refusal.body).code == .overloaded)
        // With credit for what was sent, it goes on.
        _ = records(&enclave)
        _ = try receive(&enclave, 0, .credit, [0, 0x40, 0, 0])
        _ = records(&enclave)
        guard case .request = try receive(&enclave, id + 2, .request, [1]) else {
            Issue.record("refused for ever")
            return
        }
    }

    @Test func endsWithEveryWaiterAndEveryServedCall() throws {
        var host = Machine(side: .host)
        _ = start(&host, [1], "a")
        _ = start(&host, [1], "b")
        _ = try receive(&host, 2, .request)
        host.attach("s", to: 2, deadline: later)
        let rest = host.end()
        #expect(rest.waiters == ["a", "b"] && rest.serving == ["s"])
        #expect(host.isIdle)
    }
}
