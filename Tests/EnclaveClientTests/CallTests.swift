import AttestedSession
import EnclaveProtocol
import Foundation
import HostRuntime
import Synchronization
import Testing

@testable import EnclaveClient

@Suite struct CallTests {
    private let host = TestHost()

    /// Keeps every call unanswered until `answerAll`.
    private func stalling() throws -> (FakeEnclave, KeptReplies) {
        let kept = KeptReplies()
        let enclave = try host.enclave { call, _, reply in kept.append(reply) }
        return (enclave, kept)
    }

    @Test func queuesWhatExceedsThePlacesOfASession() async throws {
        let (enclave, kept) = try stalling()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<200 { group.addTask { try await client.sealed() } }
                #expect(await eventually { kept.count == 64 && client.pool.queuedCount == 136 })
                var answered = 0
                while answered < 200 {
                    #expect(await eventually { kept.count > 0 })
                    #expect(kept.count <= 64)
                    answered += kept.answerAll()
                }
                for try await sealed in group { #expect(sealed == [1]) }
            }
        }
        #expect(enclave.seen.withLock { $0.calls } == 200)
    }

    @Test func servesTheQueueInItsOrder() async throws {
        let (enclave, kept) = try stalling()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<64 { group.addTask { try await client.sealed() } }
                #expect(await eventually { kept.count == 64 })
                for number in 1...20 {
                    group.addTask { try await client.sealed(id: "queued-\(number)") }
                    #expect(await eventually { client.pool.queuedCount == number })
                }
                _ = kept.answerAll()
                #expect(await eventually { kept.count == 20 })
                _ = kept.answerAll()
                for try await _ in group {}
            }
        }
        let order = enclave.seen.withLock { $0.order.filter { $0.hasPrefix("queued") } }
        #expect(order == (1...20).map { "queued-\($0)" })
    }

    @Test func endsAQueuedCallAtItsDeadline() async throws {
        let (enclave, kept) = try stalling()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<64 { group.addTask { try await client.sealed() } }
                #expect(await eventually { kept.count == 64 })
                let start = ContinuousClock.now
                await #expect(throws: EnclaveCallError.timedOut) { try await client.sealed(within: .milliseconds(150)) }
                let waited = start.duration(to: .now)
                #expect(waited >= .milliseconds(149) && waited < .seconds(2))
                #expect(client.pool.queuedCount == 0)
                _ = kept.answerAll()
                for try await _ in group {}
            }
        }
        #expect(enclave.seen.withLock { $0.calls } == 64)
    }

    @Test func endsACallUnderWayAtItsDeadline() async throws {
        let (enclave, _) = try stalling()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            let start = ContinuousClock.now
            await #expect(throws: EnclaveCallError.timedOut) { try await client.sealed(within: .milliseconds(200)) }
            #expect(start.duration(to: .now) < .seconds(3))
        }
        #expect(host.metrics.value(of: .enclaveCalls, [.method: "data.seal", .result: "timeout"]) == 1)
    }

    @Test func cancellingTheTaskCancelsTheCallInTheEnclave() async throws {
        let cancelled = Flag()
        let enclave = try host.enclave { call, _, reply in call.cancellation.onCancel { cancelled.set() } }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: EnclaveCallError.cancelled) { try await client.sealed() }
                }
                #expect(await eventually { enclave.seen.withLock { $0.calls } == 1 })
                group.cancelAll()
            }
            #expect(await eventually { cancelled.isSet })
        }
    }

    @Test func cancellingAQueuedCallGivesUpItsPlaceInTheQueue() async throws {
        let (enclave, kept) = try stalling()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<64 { group.addTask { try await client.sealed() } }
                #expect(await eventually { kept.count == 64 })
                await withTaskGroup(of: Void.self) { queued in
                    queued.addTask {
                        await #expect(throws: EnclaveCallError.cancelled) { try await client.sealed(id: "never") }
                    }
                    #expect(await eventually { client.pool.queuedCount == 1 })
                    queued.cancelAll()
                }
                _ = kept.answerAll()
                for try await _ in group {}
                _ = try await client.answered(id: "after", by: kept)
            }
        }
        #expect(enclave.seen.withLock { !$0.order.contains("never") && $0.order.contains("after") })
    }

    @Test func aCallWhoseSessionDiesIsUnreachableAndTheNextOneWorks() async throws {
        let enclave = try host.enclave { call, session, reply in
            if call.requestID == "kill" { session.close() } else { FakeEnclave.echo(call, session, reply) }
        }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            await #expect(throws: EnclaveCallError.unreachable) { try await client.sealed(id: "kill") }
            try await client.expectEcho([2])
        }
    }

    @Test func callsMadeBeforeRunWaitForIt() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let answered = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await client.expectEcho([3])
                answered.set()
            }
            try await running(client) { #expect(await eventually { answered.isSet }) }
            try await group.waitForAll()
        }
        await #expect(throws: EnclaveCallError.unreachable) { try await client.sealed() }
    }

    @Test func anEnclavesRefusalKeepsItsCode() async throws {
        let enclave = try host.enclave { _, _, reply in
            reply(.failure(EnclaveFailure(.providerFailed, providerStatus: 403, retryAfterSeconds: 7)))
        }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let expected = EnclaveFailure(.providerFailed, providerStatus: 403, retryAfterSeconds: 7)
        try await running(client) {
            await #expect(throws: EnclaveCallError.failed(expected)) { try await client.sealed() }
        }
        #expect(host.metrics.value(of: .enclaveCalls, [.method: "data.seal", .result: "provider_failed"]) == 1)
    }

    @Test(arguments: [[], [0x80], [0x82, 0x01, 0x80], [0xff]] as [[UInt8]])
    func anAnswerThatIsNotTheMethodsIsInvalid(_ body: [UInt8]) async throws {
        let enclave = try host.enclave { _, _, reply in reply(.success(body)) }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            await #expect(throws: EnclaveCallError.answerInvalid) { try await client.sealed() }
        }
    }

    @Test func refusesRequestsThatNoEnclaveWouldTake() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let refused = EnclaveCallError.failed(EnclaveFailure(.malformedRequest))
        try await running(client) {
            await #expect(throws: refused) { try await client.sealed(id: "two words") }
            await #expect(throws: refused) { try await client.seal([], context: CallContext(requestID: "r")) }
            let large = [UInt8](repeating: 0, count: Limits.maximumSealBytes + 1)
            await #expect(throws: refused) { try await client.sealed(large) }
        }
        #expect(enclave.seen.withLock { $0.calls } == 0)
    }

    @Test func eachItemFailsAlone() async throws {
        let enclave = try host.enclave { _, _, reply in
            reply(.success(DataResults([.success([1]), .failure(.roleNotAllowed)], keyVersion: 2).encoded()))
        }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let item = DataItem(purpose: .apiAnswer, user: UserID(UUID()), recordID: "r", content: [1])
        try await running(client) {
            let results = try await client.open([item, item], context: CallContext(requestID: "r"))
            #expect(results.results == [.success([1]), .failure(.roleNotAllowed)])
            #expect(results.keyVersion == 2)
        }
    }
}

extension EnclaveClient {
    /// Makes a call and answers what is kept until it returns.
    fileprivate func answered(id: String, by kept: KeptReplies) async throws -> [UInt8] {
        async let sealed = sealed(id: id)
        #expect(await eventually { kept.count == 1 })
        _ = kept.answerAll()
        return try await sealed
    }
}

/// Replies kept for later.
private final class KeptReplies: Sendable {
    private let replies = Mutex<[Reply]>([])

    var count: Int { replies.withLock { $0.count } }

    func append(_ reply: @escaping Reply) { replies.withLock { $0.append(reply) } }

    /// Answers all of them with one sealed byte; returns how many.
    func answerAll() -> Int {
        let kept = replies.withLock { replies in
            defer { replies = [] }
            return replies
        }
        for reply in kept { reply(.success(DataResults([.success([1])], keyVersion: 1).encoded())) }
        return kept.count
    }
}

/// A flag that is set once.
private final class Flag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() { flag.store(true, ordering: .releasing) }
}
