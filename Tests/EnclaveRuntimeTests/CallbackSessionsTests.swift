import AttestedSession
import EnclaveProtocol
import Testing

@testable import EnclaveRuntime

@Suite struct CallbackSessionsTests {
    @Test func looksForSessionsAnyNumberOfTimesOnOneStack() throws {
        let enclave = try LocalEnclave()
        let session = try enclave.session(as: .api, store: MemoryStore())
        let sessions = CallbackSessions()
        sessions.use { [session] }
        // Some 8,000 looks once used up a stack of 512 KiB: each had wrapped the closure that lists the sessions.
        for _ in 0..<50_000 { _ = sessions.candidates(first: session) }
        #expect(sessions.candidates(first: session).count == 1)
    }
}
