import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Testing

@testable import EnclaveRuntime

@Suite struct EnclaveServerTests {
    private let user = UserID(UUID())

    @Test func answersHealthAndDocumentWithoutASession() throws {
        let enclave = try LocalEnclave()
        let connection = try enclave.connect()
        let deadline = MonotonicInstant.now.advanced(bySeconds: 5)
        let health = try connection.health(deadline: deadline)
        #expect(health.status == .ok)
        #expect(health.environment == "local")
        #expect(health.mode == "dev-shim")
        let answer = try connection.document(deadline: deadline)
        let document = try IdentityDocument(decoding: answer.document)
        #expect(document.measurement == "dev-local-enclave")
        #expect(
            Ed25519.verify(
                signature: try #require(answer.signature), message: answer.document, publicKey: enclave.signingKey))
        #expect(try connection.document(deadline: deadline) == answer)
    }

    @Test(arguments: [(-120, -60), (70, 120), (-400, 400)])
    func refusesAChallengeOutsideItsWindow(_ window: (Int, Int)) throws {
        let enclave = try LocalEnclave()
        let now = Int(Date().timeIntervalSince1970)
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: UInt64(now + window.0), expiresAt: UInt64(now + window.1),
            purpose: "test", requestID: "r")
        let connection = try enclave.connect()
        #expect(throws: SessionError.refused(.challengeRefused)) {
            try connection.challenge(challenge, deadline: .now.advanced(bySeconds: 5))
        }
    }

    @Test func sealsForTheApiAndOpensForTheWorker() throws {
        let enclave = try LocalEnclave()
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        let worker = try enclave.session(as: .worker, store: store)
        // The second round runs with the key in memory, on the session's own thread.
        for round in 0..<2 {
            let content = Array("payload \(round)".utf8)
            let item = DataItem(purpose: .jobPayload, user: user, recordID: "job-1", content: content)
            let sealed: DataResults = try api.call(.dataSeal, DataItems([item]))
            let bytes = try #require(try? sealed.results.first?.get())
            let opened: DataResults = try worker.call(
                .dataOpen, DataItems([DataItem(purpose: .jobPayload, user: user, recordID: "job-1", content: bytes)]))
            #expect(try opened.results.first?.get() == content)
            let forged: DataResults = try worker.call(
                .dataOpen,
                DataItems([DataItem(purpose: .jobPayload, user: UserID(UUID()), recordID: "job-1", content: bytes)]))
            #expect(forged.results == [.failure(.sealedDataRejected)])
        }
    }

    @Test func refusesPurposesAndMethodsOfOtherRoles() throws {
        let enclave = try LocalEnclave()
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        let item = DataItem(purpose: .pushPayload, user: user, recordID: "row", content: [1])
        let sealed: DataResults = try api.call(.dataSeal, DataItems([item]))
        #expect(sealed.results == [.failure(.roleNotAllowed)])
        let inner = DataItem(purpose: .connectorRefreshToken, user: user, recordID: "row", content: [1])
        let refused: DataResults = try api.call(.dataSeal, DataItems([inner]))
        #expect(refused.results == [.failure(.roleNotAllowed)])
        #expect(throws: CallFailure.refused(EnclaveFailure(.roleNotAllowed))) {
            let _: EmptyMessage = try api.call(.vaultForget, VaultForget(user: user))
        }
        let oper = try enclave.session(as: .operation, store: store)
        #expect(throws: CallFailure.refused(EnclaveFailure(.roleNotAllowed))) {
            let _: DataResults = try oper.call(.dataSeal, DataItems([item]))
        }
        let metrics: EnclaveMetrics = try oper.call(.metrics, EmptyMessage())
        #expect(metrics.counters.contains { $0.result == "role_not_allowed" && $0.count >= 1 })
    }

    @Test func opensNoMoreItemsOfAUserThanTheMinuteAllows() throws {
        let enclave = try LocalEnclave(["ENCLAVE_USER_OPENS_PER_MINUTE": "3"])
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        let item = DataItem(purpose: .assistantMemory, user: user, recordID: "s", content: [7])
        let sealed: DataResults = try api.call(.dataSeal, DataItems([item]))
        let bytes = try #require(try? sealed.results.first?.get())
        let toOpen = DataItem(purpose: .assistantMemory, user: user, recordID: "s", content: bytes)
        let opened: DataResults = try api.call(.dataOpen, DataItems(Array(repeating: toOpen, count: 4)))
        #expect(opened.results == [.success([7]), .success([7]), .success([7]), .failure(.overloaded)])
    }

    @Test func refusesCallbackNumbersAndGarbage() throws {
        let enclave = try LocalEnclave()
        let api = try enclave.session(as: .api, store: MemoryStore())
        #expect(throws: CallFailure.refused(EnclaveFailure(.unknownMethod))) {
            let _: EmptyMessage = try api.call(.recordGet, EmptyMessage())
        }
        #expect(throws: CallFailure.refused(EnclaveFailure(.malformedRequest))) {
            let _: EmptyMessage = try api.call(.dataSeal, EmptyMessage())
        }
    }

    @Test func asksFewSessionsOfOneHostAndEachOtherHost() throws {
        // Seen from here it is the enclave's key that tells hosts apart.
        let crowd = try LocalEnclave()
        let other = try LocalEnclave()
        let many = try (0..<6).map { _ in try crowd.session(as: .api, store: MemoryStore()) }
        let single = try other.session(as: .worker, store: MemoryStore())
        let sessions = CallbackSessions()
        sessions.use { [single] + many }
        let expected = [single, many[5], many[4], many[3]].map(\.id)
        #expect(sessions.candidates(first: many[0]).map(\.id) == [many[0].id] + expected)
        many[0].close()
        #expect(sessions.candidates(first: many[0]).map(\.id) == expected)
    }

    /// There is no peer for one here; that it is bound shows when a second enclave wants the same port.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/vsock"), "the kernel knows no vsock"))
    func listensOnAVirtualMachineSocket() throws {
        let bind = ["ENCLAVE_RUNTIME_BIND_ADDR": "vsock://\(UInt32.random(in: 100_000...1_000_000_000))"]
        let enclave = try LocalEnclave(bind)
        #expect(throws: EnclaveStartError.addressUnusable) { try LocalEnclave(bind) }
        #expect(enclave.server.boundPort == 0)
    }

    @Test func drainingRefusesSessionsAndEndsThem() throws {
        let enclave = try LocalEnclave()
        let session = try enclave.session(as: .api, store: MemoryStore())
        enclave.server.drain()
        let deadline = MonotonicInstant.now.advanced(bySeconds: 5)
        while session.isOpen, MonotonicInstant.now < deadline { Threads.sleep(milliseconds: 5) }
        #expect(!session.isOpen)
        #expect(throws: (any Error).self) { try enclave.connect() }
    }
}
