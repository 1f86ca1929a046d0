import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import HostRuntime
import Synchronization
import Testing

@Suite struct SessionKeepingTests {
    private let host = TestHost()

    @Test func callsOverAnAttestedSession() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        #expect(client.attestedMeasurement == "unattested")
        try await running(client) {
            try await client.expectEcho([4, 5, 6])
            #expect(client.attestedMeasurement == "laptop")
            #expect(client.isAvailable)
        }
        #expect(host.metrics.value(of: .enclaveCalls, [.method: "data.seal", .result: "ok"]) == 1)
        #expect(host.metrics.value(of: .enclaveHandshakes, [.result: "ok"]) == 1)
    }

    @Test func keepsAsManySessionsAsConfigured() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave, sessions: 3)
        try await running(client) {
            #expect(await eventually { client.openSessions == 3 })
            #expect(self.host.metrics.value(of: .enclaveSessions, [.role: "api"]) == 3)
        }
        #expect(await eventually { enclave.sessions.isEmpty })
    }

    @Test func challengesForASessionHaveThePurposeAndTheWindow() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) { _ = try await client.sealed() }
        let challenge = try #require(enclave.seen.withLock { $0.challenges.first })
        #expect(challenge.purpose == "session")
        #expect(challenge.expiresAt - challenge.issuedAt == 300)
    }

    @Test func replacesASessionBeforeItsEndWithoutAnyCallNoticing() async throws {
        let enclave = try host.enclave(sessionSeconds: 1)
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            let deadline = ContinuousClock.now + .seconds(20)
            var slowest = Duration.zero
            while enclave.seen.withLock({ $0.sessions.count }) < 4, ContinuousClock.now < deadline {
                let start = ContinuousClock.now
                _ = try await client.sealed()
                slowest = max(slowest, start.duration(to: .now))
                await Task.yield()
            }
            #expect(enclave.seen.withLock { $0.sessions.count } == 4)
            #expect(client.openSessions >= 1)
            #expect(slowest < .milliseconds(900), "a call waited for a session")
        }
        #expect(host.metrics.value(of: .enclaveCalls, [.method: "data.seal", .result: "unreachable"]) == nil)
    }

    @Test func endsAReplacedSessionOnceItsCallsAreAnswered() async throws {
        let kept = Mutex<[Reply]>([])
        let enclave = try host.enclave(sessionSeconds: 1) { call, session, reply in
            if call.requestID == "slow" {
                kept.withLock { $0.append(reply) }
            } else {
                FakeEnclave.echo(call, session, reply)
            }
        }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            async let slow = client.sealed([7], id: "slow")
            #expect(await eventually { kept.withLock { $0.count } == 1 })
            // The next session takes over while the slow call is still under way on the first one.
            #expect(await eventually { enclave.seen.withLock { $0.handshakes } >= 2 })
            for reply in kept.withLock({ $0 }) {
                reply(.success(DataResults([.success([7])], keyVersion: 1).encoded()))
            }
            let answered = try await slow
            #expect(answered == [7])
            #expect(await eventually { enclave.seen.withLock { $0.sessionsEnded } >= 1 })
            try await client.expectEcho([1])
        }
    }

    @Test func reconnectsWhenTheEnclaveComesBackWithANewKey() async throws {
        let first = try host.enclave()
        let port = first.port
        let client = host.client(of: first) { $0.policy.allowsUnsigned = true }
        try await running(client) {
            _ = try await client.sealed()
            first.stop()
            #expect(await eventually { client.openSessions == 0 })
            await #expect(throws: EnclaveCallError.unreachable) { try await client.sealed(within: .seconds(5)) }
            let second = try await self.reborn(on: port)
            defer { second.stop() }
            #expect(await eventually { client.openSessions == 1 })
            try await client.expectEcho([9])
        }
    }

    private func reborn(on port: UInt16) async throws -> FakeEnclave {
        for _ in 0..<100 {
            if let enclave = try? host.enclave(port: port) { return enclave }
            try await Task.sleep(for: .milliseconds(50))
        }
        return try host.enclave(port: port)
    }

    @Test func verifiesAgainOnEveryConnection() async throws {
        let first = try host.enclave()
        let port = first.port
        let client = host.client(of: first)
        try await running(client) {
            _ = try await client.sealed()
            first.stop()
            #expect(await eventually { client.openSessions == 0 })
            // Another enclave on the same address, whose signing key this host does not know.
            let second = try await self.reborn(on: port)
            defer { second.stop() }
            let refused: @Sendable () -> Bool = {
                self.host.metrics.value(of: .attestationRefused, [.reason: "InvalidAttestationSignature"]) ?? 0 >= 1
            }
            #expect(await eventually(refused))
            await #expect(throws: EnclaveCallError.evidenceRefused(.invalidAttestationSignature)) {
                try await client.sealed()
            }
            #expect(second.seen.withLock { $0.handshakes } == 0)
        }
    }

    @Test func refusesAnEnclaveWithAnotherMeasurementAndNeverShakesHands() async throws {
        let enclave = try host.enclave(.init(measurement: "another"))
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            await #expect(throws: EnclaveCallError.evidenceRefused(.measurementNotAllowed)) {
                try await client.sealed()
            }
        }
        #expect(enclave.seen.withLock { $0.handshakes } == 0)
        #expect(client.attestedMeasurement == "unattested")
    }

    @Test func refusesUnsignedEvidenceAsMalformed() async throws {
        let enclave = try host.enclave(.init(signs: false))
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            await #expect(throws: EnclaveCallError.evidenceMalformed(.missingAttestationSignature)) {
                try await client.sealed()
            }
        }
    }

    @Test func isUnreachableWhereNobodyListens() async throws {
        let enclave = try host.enclave()
        let client = host.client(of: enclave)
        enclave.stop()
        try await running(client) {
            await #expect(throws: EnclaveCallError.unreachable) { try await client.sealed(within: .seconds(8)) }
        }
    }

    @Test func isRefusedByAnEnclaveThatDoesNotKnowTheHostKey() async throws {
        let enclave = try FakeEnclave(hosts: [:])
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await running(client) {
            await #expect(throws: EnclaveCallError.failed(EnclaveFailure(.roleNotAllowed))) {
                try await client.sealed(within: .seconds(8))
            }
        }
    }

    @Test func failsEveryCallInModeDisabled() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave) { $0.mode = .disabled }
        try await client.probe()
        try await running(client) {
            await #expect(throws: EnclaveCallError.notConfigured) { try await client.sealed() }
            await #expect(throws: EnclaveCallError.notConfigured) { try await client.health() }
        }
        #expect(client.isAvailable)
        #expect(enclave.seen.withLock { $0.challenges.isEmpty })
    }
}
