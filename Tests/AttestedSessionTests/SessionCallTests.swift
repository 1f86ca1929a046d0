import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Synchronization
import Testing

/// Calls over real sockets, both ends in this process.
struct SessionCallTests {
    private static func unixPath() -> Endpoint {
        .unix(path: NSTemporaryDirectory() + "alfred-test-\(hex(Random.bytes(8))).sock")
    }

    @Test(arguments: [Endpoint.tcp(host: "127.0.0.1", port: 0), .tcp(host: "::1", port: 0), unixPath()])
    func callsOverEveryKindOfSocket(_ endpoint: Endpoint) throws {
        let enclave = try TestEnclave(on: endpoint)
        let session = try enclave.session()
        #expect(try session.callAndWait(call([1, 2, 3])) == [1, 2, 3])
        #expect(try session.callAndWait(call([])) == [])
        #expect(eventually { enclave.listener.sessions.count == 1 })
        #expect(enclave.listener.sessions.first?.role == .api)
        session.close()
        #expect(eventually { enclave.handler.endings == [.closedByPeer] })
        #expect(enclave.stop())
    }

    @Test func tellsTheHandlerEverythingAboutTheCall() throws {
        let seen = Collected<IncomingCall>()
        let enclave = try TestEnclave(
            ClosureHandler { call, _, reply in
                seen.add(call)
                reply(.success([]))
            })
        let session = try enclave.session()
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        _ = try session.callAndWait(
            OutgoingCall(method: .googleGet, body: [7], deadline: soon(3), requestID: "r-1", traceparent: trace))
        let call = try #require(seen.all.first)
        #expect(call.method == Method.googleGet.rawValue)
        #expect(call.body == [7] && call.requestID == "r-1" && call.traceparent == trace)
        #expect((2000...3000).contains(call.deadline.remainingMilliseconds))
        #expect(enclave.stop())
    }

    @Test func carriesBodiesOfEverySizeBothWays() throws {
        let enclave = try TestEnclave()
        let session = try enclave.session()
        let chunk = Limits.maximumChunkBytes
        for size in [0, 1, 1024, chunk - 64, chunk - 1, chunk, chunk + 1, 2 * chunk, 1024 * 1024] {
            let body = Random.bytes(size)
            #expect(try session.callAndWait(call(body)) == body)
        }
        #expect(throws: CallFailure.tooLarge) {
            try session.callAndWait(call([UInt8](repeating: 0, count: Limits.maximumMessageBytes)))
        }
        #expect(try session.callAndWait(call([9])) == [9])
        #expect(enclave.stop())
    }

    @Test func answersManyCallersAtOnceEachItsOwn() throws {
        let enclave = try TestEnclave()
        let session = try enclave.session()
        let wrong = Collected<Int>()
        let right = Collected<Int>()
        for thread in 0..<16 {
            Foundation.Thread.detachNewThread {
                for round in 0..<50 {
                    let body = Random.bytes((thread * 997 + round * 131) % 5000)
                    let answer = try? session.callAndWait(call(body, seconds: 30))
                    (answer == body ? right : wrong).add(thread)
                }
            }
        }
        #expect(eventually(seconds: 60) { right.count + wrong.count == 16 * 50 })
        #expect(wrong.count == 0)
        #expect(enclave.stop())
    }

    @Test func takesAnswersInAnyOrder() throws {
        let waiting = Collected<(UInt8, @Sendable (Result<[UInt8], EnclaveFailure>) -> Void)>()
        let enclave = try TestEnclave(ClosureHandler { call, _, reply in waiting.add((call.body[0], reply)) })
        let session = try enclave.session()
        let answers = Collected<[UInt8]>()
        for number in 0..<UInt8(8) {
            session.start(call([number])) { result in
                if case .success(let body) = result { answers.add([number] + body) }
            }
        }
        #expect(eventually { waiting.count == 8 })
        for (number, reply) in waiting.all.reversed() { reply(.success([number])) }
        #expect(eventually { answers.count == 8 })
        #expect(answers.all == (0..<UInt8(8)).reversed().map { [$0, $0] })
        #expect(enclave.stop())
    }

    @Test func handsOverRefusalsWithTheirDetails() throws {
        let failure = EnclaveFailure(.providerUnavailable, providerStatus: 503, retryAfterSeconds: 7)
        let enclave = try TestEnclave(ClosureHandler { _, _, reply in reply(.failure(failure)) })
        let session = try enclave.session()
        #expect(throws: CallFailure.refused(failure)) { try session.callAndWait(call([1])) }
        #expect(enclave.stop())
    }

    @Test func ignoresASecondAnswer() throws {
        let enclave = try TestEnclave(
            ClosureHandler { call, _, reply in
                reply(.success(call.body))
                reply(.success([99]))
                reply(.failure(EnclaveFailure(.internalFailure)))
            })
        let session = try enclave.session()
        for number in 0..<UInt8(5) { #expect(try session.callAndWait(call([number])) == [number]) }
        #expect(session.isOpen)
        #expect(enclave.stop())
    }

    @Test func callsBackWhileCallsAreInFlight() throws {
        let enclave = try TestEnclave(
            ClosureHandler { incoming, session, reply in
                // Not on the I/O thread: a callback waits for its answer.
                Foundation.Thread.detachNewThread {
                    let answer = Result { () throws(CallFailure) in
                        try session.callAndWait(call(incoming.body, method: .recordGet))
                    }
                    reply(answer.mapError { _ in EnclaveFailure(.recordPortFailed) })
                }
            })
        let host = ClosureHandler { call, _, reply in reply(.success(call.body + [UInt8(call.method)])) }
        let session = try enclave.session(host)
        let answers = Collected<[UInt8]>()
        for number in 0..<UInt8(32) {
            session.start(call([number])) { if case .success(let body) = $0 { answers.add(body) } }
        }
        #expect(eventually { answers.count == 32 })
        #expect(Set(answers.all) == Set((0..<UInt8(32)).map { [$0, UInt8(Method.recordGet.rawValue)] }))
        #expect(enclave.stop())
    }

    @Test func callsBackWhileTheCallWindowIsFull() throws {
        // Four calls of 1 MiB fill the window for calls, and nothing is consumed until their callbacks are answered.
        let enclave = try TestEnclave(
            ClosureHandler { incoming, session, reply in
                Foundation.Thread.detachNewThread {
                    let answer = try? session.callAndWait(call([1], method: .recordGet))
                    reply(answer == [1] ? .success([]) : .failure(EnclaveFailure(.recordPortFailed)))
                }
            })
        let session = try enclave.session(ClosureHandler.echo())
        let answers = Collected<[UInt8]>()
        for _ in 0..<12 {
            session.start(call([UInt8](repeating: 5, count: 1024 * 1024), seconds: 30)) {
                if case .success(let body) = $0 { answers.add(body) }
            }
        }
        #expect(eventually(seconds: 30) { answers.count == 12 })
        #expect(enclave.stop())
    }
}
