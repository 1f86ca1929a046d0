import AttestedSession
import EnclaveProtocol
import Foundation
import Synchronization
import Testing

@testable import EnclaveRuntime

/// Google operations through the real sessions, dispatcher and pool.
@Suite struct ServedGoogleTests {
    private let user = UserID(UUID())
    private let connector = ConnectorID(UUID())
    private var reference: ConnectorReference { ConnectorReference(user: user, connector: connector) }

    /// Connects over the session, as the API does.
    private func connect(_ enclave: LocalEnclave, _ session: Session, token: String) throws {
        let stateID = OAuthStateID(UUID())
        let begin: GoogleConnectBeginAnswer = try session.call(
            .googleConnectBegin,
            GoogleConnectBegin(
                user: user, stateID: stateID, redirectURI: "http://127.0.0.1:8080/oauth/google/callback", state: "st"))
        enclave.google.state.withLock { state in
            let claims = #"{"iss":"https://accounts.google.com","sub":"1","aud":"client-1"}"#
            state.onToken = { _ in
                (
                    200,
                    #"{"access_token":"first","expires_in":3600,"refresh_token":"\#(token)","#
                        + #""scope":"openid \#(Operations.scopes[1])","id_token":"\#(idToken(claims))"}"#
                )
            }
        }
        let _: GoogleConnectCompleteAnswer = try session.call(
            .googleConnectComplete,
            GoogleConnectComplete(
                user: user, connector: connector, stateID: stateID, state: "st", sealedVerifier: begin.sealedVerifier,
                code: "code"))
    }

    private func get(seconds: Int = 20) -> OutgoingCall {
        OutgoingCall(
            method: .googleGet,
            body: GoogleGet(reference: reference, resource: .gmailMetadata(id: "m")).encoded(),
            deadline: .now.advanced(bySeconds: seconds), requestID: "test")
    }

    @Test func aHundredCallsInFlightShareOneRefresh() throws {
        let enclave = try LocalEnclave()
        let store = MemoryStore()
        let sessions = [
            try enclave.session(as: .api, store: store), try enclave.session(as: .worker, store: store),
        ]
        try connect(enclave, sessions[0], token: "r1")
        let _: EmptyMessage = try sessions[1].call(.vaultForget, VaultForget(user: user))
        let isHeld = Monitor(true)
        enclave.google.state.withLock { state in
            state.onToken = { _ in
                _ = isHeld.wait(until: .now.advanced(bySeconds: 10)) { $0 ? nil : true }
                return (200, #"{"access_token":"second","expires_in":3600,"refresh_token":"r2"}"#)
            }
        }
        let answers = Monitor<[Bool]>([])
        for index in 0..<100 {
            sessions[index % 2].start(get()) { result in
                answers.withLock(wake: true) { $0.append((try? result.get()) != nil) }
            }
        }
        // Far more calls than threads wait for Google, and local work still goes on.
        let item = DataItem(purpose: .llmCache, user: user, recordID: "r", content: [1])
        let sealed: DataResults = try sessions[0].call(.dataSeal, DataItems([item]))
        #expect(sealed.results.count == 1)
        isHeld.withLock(wake: true) { $0 = false }
        let all = answers.wait(until: .now.advanced(bySeconds: 20)) { $0.count == 100 ? $0 : nil }
        #expect(all == Array(repeating: true, count: 100))
        #expect(enclave.google.refreshes == ["r1"])
        #expect(Set(enclave.google.state.withLock { $0.reads.map(\.bearer) }) == ["second"])
        #expect(store.state.withLock { $0.puts.count } == 2)
    }

    @Test func aRotationOutlivesItsCallerAndItsSession() throws {
        let enclave = try LocalEnclave()
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        let worker = try enclave.session(as: .worker, store: store)
        try connect(enclave, api, token: "r1")
        let _: EmptyMessage = try worker.call(.vaultForget, VaultForget(user: user))
        let isAsked = Monitor(false)
        let isHeld = Monitor(true)
        enclave.google.state.withLock { state in
            state.onToken = { _ in
                isAsked.withLock(wake: true) { $0 = true }
                _ = isHeld.wait(until: .now.advanced(bySeconds: 10)) { $0 ? nil : true }
                return (200, #"{"access_token":"second","expires_in":3600,"refresh_token":"r2"}"#)
            }
        }
        api.start(get()) { _ in }
        #expect(isAsked.wait(until: .now.advanced(bySeconds: 10)) { $0 ? true : nil } == true)
        // The caller is gone, its session too; the answer of Google comes after that.
        api.close()
        isHeld.withLock(wake: true) { $0 = false }
        let deadline = MonotonicInstant.now.advanced(bySeconds: 10)
        while store.state.withLock({ $0.puts.count }) < 2, MonotonicInstant.now < deadline {
            Threads.sleep(milliseconds: 5)
        }
        #expect(store.state.withLock { $0.puts.map(\.record.recordVersion) } == [1, 2])
        let answer: GoogleGetAnswer = try GoogleGetAnswer(decoding: worker.callAndWait(get()))
        #expect(answer.status == 200)
        #expect(enclave.google.refreshes == ["r1"])
    }

    @Test func drainingStoresWhatGoogleAnswered() throws {
        let enclave = try LocalEnclave()
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        let worker = try enclave.session(as: .worker, store: store)
        try connect(enclave, api, token: "r1")
        let _: EmptyMessage = try worker.call(.vaultForget, VaultForget(user: user))
        let isAsked = Monitor(false)
        enclave.google.state.withLock { state in
            state.onToken = { _ in
                isAsked.withLock(wake: true) { $0 = true }
                Threads.sleep(milliseconds: 200)
                return (200, #"{"access_token":"second","expires_in":3600,"refresh_token":"r2"}"#)
            }
        }
        let answer = Monitor<Bool?>(nil)
        api.start(get()) { result in answer.withLock(wake: true) { $0 = (try? result.get()) != nil } }
        #expect(isAsked.wait(until: .now.advanced(bySeconds: 10)) { $0 ? true : nil } == true)
        enclave.server.drain()
        #expect(answer.wait(until: .now.advanced(bySeconds: 1)) { $0 } == true)
        #expect(store.state.withLock { $0.puts.map(\.record.recordVersion) } == [1, 2])
    }

    @Test func callersThatGaveUpWaitingTakeNobodysPlace() throws {
        let enclave = try LocalEnclave(["ENCLAVE_RPC_MAX_IN_FLIGHT": "5"])
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        let worker = try enclave.session(as: .worker, store: store)
        try connect(enclave, api, token: "r1")
        let _: EmptyMessage = try worker.call(.vaultForget, VaultForget(user: user))
        let isAsked = Monitor(false)
        let isHeld = Monitor(true)
        enclave.google.state.withLock { state in
            state.onToken = { _ in
                isAsked.withLock(wake: true) { $0 = true }
                _ = isHeld.wait(until: .now.advanced(bySeconds: 10)) { $0 ? nil : true }
                return (200, #"{"access_token":"second","expires_in":3600}"#)
            }
        }
        api.start(get()) { _ in }
        #expect(isAsked.wait(until: .now.advanced(bySeconds: 10)) { $0 ? true : nil } == true)
        // Behind that refresh: one caller cancels, two run into their deadlines.
        let answers = Monitor(0)
        let cancelled = api.start(get()) { _ in answers.withLock(wake: true) { $0 += 1 } }
        for _ in 0..<2 { api.start(get(seconds: 1)) { _ in answers.withLock(wake: true) { $0 += 1 } } }
        Threads.sleep(milliseconds: 100)
        api.cancel(cancelled)
        #expect(answers.wait(until: .now.advanced(bySeconds: 5)) { $0 == 3 ? true : nil } == true)
        let item = DataItem(purpose: .llmCache, user: user, recordID: "r", content: [1])
        var sealed: DataResults?
        let deadline = MonotonicInstant.now.advanced(bySeconds: 2)
        while sealed == nil, MonotonicInstant.now < deadline {
            let seals = (0..<3).map { _ in Monitor<Bool?>(nil) }
            for seal in seals {
                worker.start(
                    OutgoingCall(
                        method: .dataSeal, body: DataItems([item]).encoded(), deadline: .now.advanced(bySeconds: 5),
                        requestID: "test")
                ) { result in seal.withLock(wake: true) { $0 = (try? result.get()) != nil } }
            }
            let all = seals.allSatisfy { $0.wait(until: .now.advanced(bySeconds: 5)) { $0 } == true }
            if all { sealed = try worker.call(.dataSeal, DataItems([item])) }
        }
        #expect(sealed != nil)
        isHeld.withLock(wake: true) { $0 = false }
    }

    @Test func refusesWhatIsBeyondTheCallsInFlight() throws {
        let enclave = try LocalEnclave(["ENCLAVE_RPC_MAX_IN_FLIGHT": "4"])
        let store = MemoryStore()
        let api = try enclave.session(as: .api, store: store)
        try connect(enclave, api, token: "r1")
        let isHeld = Monitor(true)
        enclave.google.state.withLock { state in
            state.onRead = { _ in
                _ = isHeld.wait(until: .now.advanced(bySeconds: 10)) { $0 ? nil : true }
                return PublicReply(status: 200, retryAfterSeconds: nil, body: [])
            }
        }
        let answers = Monitor<[Result<[UInt8], CallFailure>]>([])
        for _ in 0..<4 { api.start(get()) { result in answers.withLock(wake: true) { $0.append(result) } } }
        let first = answers.wait(until: .now.advanced(bySeconds: 10)) { $0.first }
        #expect(first == .failure(.refused(EnclaveFailure(.overloaded))))
        // The last quarter is for what does not wait for Google.
        let item = DataItem(purpose: .llmCache, user: user, recordID: "r", content: [1])
        let sealed: DataResults = try api.call(.dataSeal, DataItems([item]))
        #expect(sealed.results.count == 1)
        isHeld.withLock(wake: true) { $0 = false }
        let all = answers.wait(until: .now.advanced(bySeconds: 10)) { $0.count == 4 ? $0 : nil }
        #expect(all?.filter { (try? $0.get()) != nil }.count == 3)
    }
}
