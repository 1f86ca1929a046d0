import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Testing

/// Deadlines, cancellation, back-pressure and age.
struct SessionLimitTests {
    @Test func givesUpAtTheDeadlineAndDropsTheLateAnswer() throws {
        let replies = Collected<@Sendable (Result<[UInt8], EnclaveFailure>) -> Void>()
        let cancelled = Collected<Bool>()
        let enclave = try TestEnclave(
            ClosureHandler { call, _, reply in
                guard call.body == [1] else { return reply(.success(call.body)) }
                call.cancellation.onCancel { cancelled.add(true) }
                replies.add(reply)
            })
        let session = try enclave.session()
        let started = MonotonicInstant.now
        #expect(throws: CallFailure.timedOut) {
            try session.callAndWait(
                OutgoingCall(
                    method: .dataSeal, body: [1], deadline: started.advanced(byMilliseconds: 100), requestID: "late"))
        }
        #expect(MonotonicInstant.now.milliseconds(after: started) < 1000)
        #expect(eventually { cancelled.count == 1 })
        replies.all.first?(.success([1]))
        #expect(try session.callAndWait(call([2])) == [2])
        #expect(session.isOpen)
        #expect(enclave.stop())
    }

    @Test func refusesACallWhoseDeadlineHasPassed() throws {
        let enclave = try TestEnclave()
        let session = try enclave.session()
        #expect(throws: CallFailure.timedOut) { try session.callAndWait(call([1], seconds: 0)) }
        #expect(enclave.stop())
    }

    @Test func cancelsOnBothSides() throws {
        let cancelled = Collected<Bool>()
        let enclave = try TestEnclave(
            ClosureHandler { call, _, reply in
                call.cancellation.onCancel {
                    cancelled.add(call.cancellation.isCancelled)
                    reply(.failure(EnclaveFailure(.cancelled)))
                }
            })
        let session = try enclave.session()
        let results = Collected<Result<[UInt8], CallFailure>>()
        let handle = session.start(call([1])) { results.add($0) }
        #expect(eventually { enclave.listener.sessions.first?.callsServed == 1 })
        session.cancel(handle)
        session.cancel(handle)
        #expect(results.all == [.failure(.cancelled)])
        #expect(eventually { cancelled.all == [true] })
        #expect(eventually { enclave.listener.sessions.first?.callsServed == 0 })
        #expect(session.isOpen)
        #expect(enclave.stop())
    }

    @Test func survivesManyCancelledCallsWithinBounds() throws {
        let enclave = try TestEnclave()
        let session = try enclave.session()
        for _ in 0..<2000 {
            session.cancel(session.start(call([UInt8](repeating: 1, count: 100))) { _ in })
        }
        #expect(eventually { (try? session.callAndWait(call([3]))) == [3] })
        #expect(enclave.stop())
    }

    @Test func takesNoMoreCallsThanTheLimit() throws {
        let replies = Collected<@Sendable (Result<[UInt8], EnclaveFailure>) -> Void>()
        let enclave = try TestEnclave(ClosureHandler { _, _, reply in replies.add(reply) })
        let session = try enclave.session()
        let results = Collected<Result<[UInt8], CallFailure>>()
        for _ in 0..<Limits.maximumCallsInFlight { session.start(call([1])) { results.add($0) } }
        #expect(throws: CallFailure.tooManyInFlight) { try session.callAndWait(call([1])) }
        #expect(eventually { replies.count == Limits.maximumCallsInFlight })
        for reply in replies.all { reply(.success([])) }
        #expect(eventually { results.count == Limits.maximumCallsInFlight })
        #expect(enclave.stop())
    }

    @Test func holdsBackWhatASlowConsumerHasNotTaken() throws {
        let replies = Collected<@Sendable (Result<[UInt8], EnclaveFailure>) -> Void>()
        let enclave = try TestEnclave(ClosureHandler { _, _, reply in replies.add(reply) })
        let session = try enclave.session()
        let results = Collected<Result<[UInt8], CallFailure>>()
        let body = [UInt8](repeating: 1, count: 1024 * 1024)
        for _ in 0..<16 { session.start(call(body, seconds: 30)) { results.add($0) } }
        // The window takes three of these messages (each is a little over 1 MiB); the rest waits at the sender.
        #expect(eventually { replies.count == 3 })
        var answered = 0
        while answered < 16 {
            #expect(eventually { replies.count > answered })
            #expect(replies.count - answered <= 4)
            replies.all[answered](.success([]))
            answered += 1
        }
        #expect(eventually { results.count == 16 })
        #expect(results.all.allSatisfy { $0 == .success([]) })
        #expect(enclave.stop())
    }

    @Test func takesNoNewCallAfterItsAgeButFinishesThoseUnderWay() throws {
        let replies = Collected<@Sendable (Result<[UInt8], EnclaveFailure>) -> Void>()
        let enclave = try TestEnclave(ClosureHandler { _, _, reply in replies.add(reply) })
        let host = ClosureHandler.echo()
        let session = try enclave.session(host, maximumAge: 1)
        let results = Collected<Result<[UInt8], CallFailure>>()
        session.start(call([1])) { results.add($0) }
        #expect(eventually { !session.acceptsCalls })
        #expect(throws: CallFailure.sessionExpired) { try session.callAndWait(call([2])) }
        #expect(session.isOpen)
        #expect(eventually { replies.count == 1 })
        replies.all.first?(.success([7]))
        #expect(eventually { results.all == [.success([7])] })
        #expect(eventually { host.endings == [.expired] })
        #expect(enclave.stop())
    }

    @Test func usesTheEnclavesTermsWhereTheyAreShorter() throws {
        let enclave = try TestEnclave(limits: ListenerLimits(sessionSeconds: 1))
        let session = try enclave.session(maximumAge: 3600)
        #expect(session.expiresAt.remainingMilliseconds <= 1000)
        #expect(eventually { !session.isOpen })
        #expect(enclave.stop())
    }

    @Test func failsCallsUnderWayWhenTheSessionEnds() throws {
        let enclave = try TestEnclave(ClosureHandler { _, _, _ in })
        let session = try enclave.session()
        let results = Collected<Result<[UInt8], CallFailure>>()
        session.start(call([1])) { results.add($0) }
        #expect(eventually { enclave.listener.sessions.first?.callsServed == 1 })
        #expect(enclave.stop())
        #expect(eventually { results.all == [.failure(.sessionEnded)] })
        #expect(throws: CallFailure.sessionEnded) { try session.callAndWait(call([1])) }
    }
}
