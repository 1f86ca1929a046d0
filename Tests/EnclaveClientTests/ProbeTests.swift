import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import Sodium
import Synchronization
import Testing

@Suite struct ProbeTests {
    private let host = TestHost()

    @Test func passesAndKnowsTheIdentity() async throws {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        try await client.probe()
        #expect(client.attestedMeasurement == "laptop")
        let challenges = enclave.seen.withLock { $0.challenges }
        #expect(challenges.map(\.purpose) == ["startup_probe", "session"])
        #expect(challenges.first.map { $0.expiresAt - $0.issuedAt } == 15)
        #expect(enclave.seen.withLock { $0.calls } == 2, "one seal, one open")
    }

    @Test func answersCallbacksOfTheFirstSeal() async throws {
        let enclave = try host.enclave { call, session, reply in
            let get = WrappedKeyReference(keyID: "k", keyVersion: 1).encoded()
            Thread {
                let answer = try? session.callAndWait(
                    OutgoingCall(
                        method: .wrappedKeyGet, body: get, deadline: .now.advanced(bySeconds: 5), requestID: "cb"))
                guard answer != nil else { return reply(.failure(EnclaveFailure(.keyStoreFailed))) }
                FakeEnclave.echo(call, session, reply)
            }.start()
        }
        defer { enclave.stop() }
        try await host.client(of: enclave).probe()
    }

    @Test func namesTheStepWhereNobodyListens() async throws {
        let enclave = try host.enclave()
        let client = host.client(of: enclave)
        enclave.stop()
        await #expect { try await client.probe() } throws: { error in
            (error as? ProbeFailure)?.step == .health && (error as? ProbeFailure)?.error == .unreachable
        }
    }

    @Test(arguments: [HealthAnswer.Status.starting, .draining])
    func waitsForAnEnclaveThatIsNotReady(_ status: HealthAnswer.Status) async throws {
        let enclave = try host.enclave(.init(status: status))
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        await #expect { try await client.probe() } throws: { error in
            "\(error)" == "the enclave failed the start-up probe at health: unreachable (\(status.rawValue))"
        }
    }

    @Test func refusesABlankDocument() async throws {
        let enclave = try host.enclave(.init(measurement: " "))
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        await #expect { try await client.probe() } throws: { ($0 as? ProbeFailure)?.step == .document }
    }

    @Test func namesTheReasonWhereEvidenceIsRefused() async throws {
        let enclave = try host.enclave(.init(measurement: "another"))
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        await #expect { try await client.probe() } throws: { error in
            let failure = error as? ProbeFailure
            return failure?.step == .challenge && failure?.error == .evidenceRefused(.measurementNotAllowed)
                && failure?.detail == "MeasurementNotAllowed, expected dev-local-enclave, found another"
        }
        #expect(enclave.seen.withLock { $0.handshakes } == 0)
        #expect(host.metrics.value(of: .attestationRefused, [.reason: "MeasurementNotAllowed"]) == 1)
    }

    @Test func namesTheSessionWhereTheHostKeyIsUnknown() async throws {
        let enclave = try FakeEnclave(hosts: [:])
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        await #expect { try await client.probe() } throws: { ($0 as? ProbeFailure)?.step == .session }
    }

    @Test func namesTheSealWhereTheEnclaveCannotSeal() async throws {
        let enclave = try host.enclave { _, _, reply in reply(.failure(EnclaveFailure(.keyStoreFailed))) }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        await #expect { try await client.probe() } throws: { error in
            let failure = error as? ProbeFailure
            return failure?.step == .seal && failure?.error == .failed(EnclaveFailure(.keyStoreFailed))
        }
    }

    @Test func refusesAnEnclaveThatOpensSomethingElse() async throws {
        let enclave = try host.enclave { _, _, reply in
            reply(.success(DataResults([.success([1])], keyVersion: 1).encoded()))
        }
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        await #expect { try await client.probe() } throws: { error in
            (error as? ProbeFailure)?.step == .seal && (error as? ProbeFailure)?.error == .answerInvalid
        }
    }

    @Test func triesAgainUntilTheEnclaveIsThere() async throws {
        let first = try host.enclave()
        let port = first.port
        let client = host.client(of: first) {
            $0.probeAttempts = 20
            $0.policy.allowsUnsigned = true
        }
        first.stop()
        async let probe: Void = client.probe()
        var second: FakeEnclave?
        for _ in 0..<100 where second == nil {
            second = try? host.enclave(port: port)
            if second == nil { try await Task.sleep(for: .milliseconds(50)) }
        }
        defer { second?.stop() }
        try await probe
    }

    // MARK: Relays

    @Test func relaysAnswersUnverified() async throws {
        let enclave = try host.enclave(.init(measurement: "another", signs: false))
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let now = UInt64(Date().timeIntervalSince1970)
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: now, expiresAt: now + 60, purpose: "audit", requestID: "r")
        let answer = try await client.relayChallenge(challenge)
        #expect(try Evidence(decoding: answer.evidence).challenge == challenge)
        let document = try await client.document()
        #expect(try IdentityDocument(decoding: document.document).measurement == "another")
        #expect(try await client.health().status == .ok)
    }

    @Test(arguments: ["session", "startup_probe"]) func relaysNoChallengeOfAReservedPurpose(_ purpose: String)
        async throws
    {
        let enclave = try host.enclave()
        defer { enclave.stop() }
        let client = host.client(of: enclave)
        let challenge = Challenge(nonce: Random.bytes(32), issuedAt: 1, expiresAt: 2, purpose: purpose, requestID: "r")
        await #expect(throws: EnclaveCallError.failed(EnclaveFailure(.challengeRefused))) {
            try await client.relayChallenge(challenge)
        }
        #expect(enclave.seen.withLock { $0.challenges.isEmpty })
    }

    // MARK: Key files

    @Test func readsAHostKeyThatOnlyItsOwnerCanRead() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "host-key-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "api.key").path
        let bytes = [UInt8](repeating: 3, count: 32)
        func write(_ text: String, mode: Int) throws {
            try Data(text.utf8).write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        try write(Base64.encode(bytes) + "\n", mode: 0o600)
        let expected = X25519.PrivateKey(SecretBytes(copying: bytes))?.publicKey
        #expect(try HostKey(readingFile: path).publicKey == expected)
        try write(Base64.encode(bytes), mode: 0o640)
        #expect(throws: SecretFileError.modeTooOpen) { try HostKey(readingFile: path) }
        try write(Base64.encode(Array(bytes.dropLast())), mode: 0o600)
        #expect(throws: SecretFileError.notAKey) { try HostKey(readingFile: path) }
        #expect(throws: SecretFileError.unreadable) { try HostKey(readingFile: path + ".missing") }
    }
}
