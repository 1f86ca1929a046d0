import AttestedSession
import EnclaveProtocol
import Foundation
import Synchronization
import Testing

@testable import EnclaveClient

@Suite struct CallbackTests {
    private let host = TestHost()
    private let mine = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))
    private let foreign = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))
    private let context = CallContext(requestID: "req-1")

    private func record(_ version: UInt64) -> SealedRecord {
        SealedRecord(sealed: [1, 2, 3], recordVersion: version, keyID: "kms/local/1", keyVersion: 1)
    }

    /// A script that calls the host on a thread of its own, then answers `google.refresh` with what it found.
    private func refreshing(_ work: @escaping @Sendable (Callback) throws(CallFailure) -> UInt64) -> Script {
        { call, session, reply in
            Thread {
                do throws(CallFailure) {
                    let version = try work(Callback(session: session))
                    reply(.success(GoogleRefreshAnswer(expiresInSeconds: 60, recordVersion: version).encoded()))
                } catch {
                    if case .refused(let failure) = error { return reply(.failure(failure)) }
                    reply(.failure(EnclaveFailure(.internalFailure)))
                }
            }.start()
        }
    }

    private func refresh(_ script: @escaping Script) async throws -> GoogleRefreshAnswer {
        let enclave = try host.enclave(script: script)
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let answer = Mutex<Result<GoogleRefreshAnswer, EnclaveCallError>>(.failure(.unreachable))
        try await running(client) {
            do throws(EnclaveCallError) {
                let refreshed = try await client.refreshGoogle(
                    user: self.mine.user, connector: self.mine.connector, context: self.context)
                answer.withLock { $0 = .success(refreshed) }
            } catch {
                answer.withLock { $0 = .failure(error) }
            }
        }
        return try answer.withLock { $0 }.get()
    }

    @Test func readsTheRecordOfTheCallThatIsOpen() async throws {
        let stored = record(1)
        let mine = mine
        _ = try await host.records.put(
            RecordPut(reference: mine, provider: "google", expectedVersion: 0, record: stored))
        let answer = try await refresh(
            refreshing { host throws(CallFailure) in
                let body = try host.call(.recordGet, mine.encoded())
                return (try? RecordGetAnswer(decoding: body))?.record == stored ? 1 : 0
            })
        #expect(answer.recordVersion == 1)
    }

    @Test func refusesTheRecordOfAConnectorNobodyAskedAbout() async throws {
        let foreign = foreign
        _ = try await host.records.put(
            RecordPut(reference: foreign, provider: "google", expectedVersion: 0, record: record(1)))
        await #expect(throws: EnclaveCallError.failed(EnclaveFailure(.recordPortFailed))) {
            try await refresh(
                refreshing { host throws(CallFailure) in
                    _ = try host.call(.recordGet, foreign.encoded())
                    return 1
                })
        }
    }

    @Test func storesARecordEvenOfAConnectorWithoutAnOpenCall() async throws {
        let put = RecordPut(reference: foreign, provider: "google", expectedVersion: 0, record: record(1))
        let answer = try await refresh(
            refreshing { host throws(CallFailure) in
                let first = try host.call(.recordPut, put.encoded())
                let second = try host.call(.recordPut, put.encoded())
                let outcomes = [first, second].compactMap { (try? RecordPutAnswer(decoding: $0))?.outcome }
                return outcomes == [.stored, .conflict] ? 1 : 0
            })
        #expect(answer.recordVersion == 1)
        #expect(try await host.records.record(of: foreign) == record(1))
    }

    @Test func keepsTheFirstWrappedKey() async throws {
        let reference = WrappedKeyReference(keyID: "kms/local/1", keyVersion: 1)
        let key = WrappedKey(provider: "local", wrapped: [9], lineageMAC: nil)
        let answer = try await refresh(
            refreshing { host throws(CallFailure) in
                let puts = [key, WrappedKey(provider: "local", wrapped: [8], lineageMAC: nil)].map {
                    WrappedKeyPut(reference: reference, key: $0).encoded()
                }
                let first = try host.call(.wrappedKeyPut, puts[0])
                let second = try host.call(.wrappedKeyPut, puts[1])
                let inserted = [first, second].compactMap { (try? WrappedKeyPutAnswer(decoding: $0))?.inserted }
                let stored = try host.call(.wrappedKeyGet, reference.encoded())
                return inserted == [true, false] && (try? WrappedKeyGetAnswer(decoding: stored))?.key == key ? 1 : 0
            })
        #expect(answer.recordVersion == 1)
    }

    @Test func refusesCallbacksThatAreMalformedOrNoCallbacks() async throws {
        let answer = try await refresh(
            refreshing { host throws(CallFailure) in
                let malformed = host.failure(.recordPut, [0x80]) == .malformedRequest
                let noCallback = host.failure(.dataSeal, [0x80]) == .unknownMethod
                return malformed && noCallback ? 1 : 0
            })
        #expect(answer.recordVersion == 1)
    }

    @Test func answersManyCallbacksAtOnce() async throws {
        let mine = mine
        let script: Script = { call, session, reply in
            let left = Mutex(100)
            for _ in 0..<100 {
                let get = OutgoingCall(
                    method: .recordGet, body: mine.encoded(), deadline: .now.advanced(bySeconds: 5), requestID: "cb")
                session.start(get) { _ in
                    let isLast = left.withLock { left in
                        left -= 1
                        return left == 0
                    }
                    guard isLast else { return }
                    reply(.success(GoogleRefreshAnswer(expiresInSeconds: 1, recordVersion: 100).encoded()))
                }
            }
        }
        #expect(try await refresh(script).recordVersion == 100)
    }

    // MARK: Which connectors are open

    @Test func remembersAConnectorForAMinuteAfterItsLastCall() {
        let references = OpenReferences()
        let start = MonotonicInstant.now
        #expect(!references.contains(mine))
        references.begin(mine)
        references.begin(mine)
        references.end(mine, now: start)
        #expect(references.contains(mine, now: start.advanced(bySeconds: 3600)), "one call is still open")
        references.end(mine, now: start)
        #expect(references.contains(mine, now: start.advanced(bySeconds: 60)))
        #expect(!references.contains(mine, now: start.advanced(bySeconds: 61)))
        #expect(!references.contains(foreign, now: start))
    }

    @Test func forgetsConnectorsInTheEnd() {
        let references = OpenReferences()
        let start = MonotonicInstant.now
        for second in 0..<200 {
            let reference = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))
            references.begin(reference)
            references.end(reference, now: start.advanced(bySeconds: second))
        }
        #expect(references.count == 61)
    }

    @Test func boundsWhatItRemembers() {
        let references = OpenReferences()
        let start = MonotonicInstant.now
        for _ in 0..<(OpenReferences.maximumClosed + 500) {
            let reference = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))
            references.begin(reference)
            references.end(reference, now: start)
        }
        #expect(references.count == OpenReferences.maximumClosed)
    }
}

/// Calls of the enclave to the host over one session.
private struct Callback: Sendable {
    let session: Session

    func call(_ method: EnclaveProtocol.Method, _ body: [UInt8]) throws(CallFailure) -> [UInt8] {
        try session.callAndWait(
            OutgoingCall(method: method, body: body, deadline: .now.advanced(bySeconds: 5), requestID: "callback"))
    }

    func failure(_ method: EnclaveProtocol.Method, _ body: [UInt8]) -> EnclaveErrorCode? {
        do throws(CallFailure) {
            _ = try call(method, body)
            return nil
        } catch {
            if case .refused(let failure) = error { return failure.code }
            return nil
        }
    }
}
