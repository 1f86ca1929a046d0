import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import HostRuntime
import Synchronization
import Testing

/// What a host hands to an enclave that is starting, when, and over which session.
@Suite struct CredentialHandOverTests {
    private let host = TestHost()

    /// Credentials that a test changes.
    private final class Source: CredentialSource {
        private let set = Mutex<Result<KMSCredentials, CredentialSourceError>>(.success(Source.set("AKIDFIRST")))

        static func set(_ id: String, clientSecret version: UInt32? = nil) -> KMSCredentials {
            KMSCredentials(
                accessKeyID: id, secretAccessKey: Array("secret".utf8),
                clientSecret: version.map { KMSCredentials.ClientSecret(version: $0, ciphertext: [1]) })
        }

        func give(_ result: Result<KMSCredentials, CredentialSourceError>) { set.withLock { $0 = result } }
        func credentials() async throws(CredentialSourceError) -> KMSCredentials { try set.withLock { $0 }.get() }
    }

    /// The calls that came, by session, and what `kms.credentials` is answered with.
    private final class Enclave: Sendable {
        struct Call: Equatable {
            let method: UInt16
            let session: UInt64
        }

        let calls = Mutex<[Call]>([])
        let handed = Mutex<[String]>([])
        let outcome = Mutex(KMSCredentialsAnswer.Outcome.accepted)
        let clientSecretVersion = Mutex<UInt32?>(nil)
        let fake = Mutex<FakeEnclave?>(nil)

        var script: Script {
            { call, session, reply in
                self.calls.withLock { $0.append(Call(method: call.method, session: session.id)) }
                guard call.method == Method.kmsCredentials.rawValue else {
                    return FakeEnclave.echo(call, session, reply)
                }
                if let set = try? KMSCredentials(decoding: call.body) {
                    self.handed.withLock { $0.append(set.accessKeyID) }
                }
                let outcome = self.outcome.withLock { $0 }
                if outcome == .accepted { self.fake.withLock { $0?.status.withLock { $0 = .ok } } }
                let version = self.clientSecretVersion.withLock { $0 }
                reply(.success(KMSCredentialsAnswer(outcome, clientSecretVersion: version).encoded()))
            }
        }

        func start(_ host: TestHost, _ identity: FakeEnclave.Identity, port: UInt16 = 0) throws -> FakeEnclave {
            let enclave = try host.enclave(identity, port: port, script: script)
            fake.withLock { $0 = enclave }
            return enclave
        }
    }

    private func client(_ enclave: FakeEnclave, _ source: Source?) -> EnclaveClient {
        host.client(of: enclave, credentials: source) {
            $0.mode = .remote
            $0.credentialInterval = .milliseconds(10)
            $0.policy.allowsUnsigned = true
        }
    }

    @Test func handsOverInASessionOfItsOwnAndThenServes() async throws {
        let enclave = Enclave()
        let fake = try enclave.start(host, .init(status: .starting))
        defer { fake.stop() }
        try await client(fake, Source()).probe()
        let calls = enclave.calls.withLock { $0 }
        #expect(calls.map(\.method) == [Method.kmsCredentials, .dataSeal, .dataOpen].map(\.rawValue))
        #expect(calls[0].session != calls[1].session, "the early session carries the credentials alone")
        // Document, evidence for the early session, the probe's own, evidence for the session that seals.
        #expect(fake.seen.withLock { $0.challenges.map(\.purpose) } == ["session", "startup_probe", "session"])
    }

    @Test func handsNothingToAnEnclaveWhoseEvidenceIsRefused() async throws {
        let enclave = Enclave()
        let fake = try enclave.start(host, .init(status: .starting, measurement: "another"))
        defer { fake.stop() }
        await #expect { try await client(fake, Source()).probe() } throws: { error in
            (error as? ProbeFailure)?.error == .evidenceRefused(.measurementNotAllowed)
        }
        #expect(enclave.calls.withLock { $0 }.isEmpty && fake.seen.withLock { $0.handshakes } == 0)
    }

    @Test func saysWhereKMSRefusesAndWhereThereAreNoCredentials() async throws {
        let enclave = Enclave()
        let fake = try enclave.start(host, .init(status: .starting))
        defer { fake.stop() }
        enclave.outcome.withLock { $0 = .refused }
        let source = Source()
        await #expect { try await client(fake, source).probe() } throws: { error in
            (error as? ProbeFailure)?.step == .credentials && (error as? ProbeFailure)?.detail == "refused by KMS"
        }
        source.give(.failure(.unreachable))
        await #expect { try await client(fake, source).probe() } throws: { error in
            (error as? ProbeFailure)?.step == .credentials && (error as? ProbeFailure)?.detail == "unreachable"
        }
        await #expect { try await client(fake, nil).probe() } throws: { ($0 as? ProbeFailure)?.step == .health }
    }

    @Test func handsInEachNewSetOnce() async throws {
        let enclave = Enclave()
        let fake = try enclave.start(host, .init())
        defer { fake.stop() }
        let source = Source()
        try await running(client(fake, source)) {
            #expect(await eventually { enclave.handed.withLock { $0 } == ["AKIDFIRST"] })
            source.give(.failure(.unreachable))
            source.give(.success(Source.set("AKIDSECOND")))
            #expect(await eventually { enclave.handed.withLock { $0 } == ["AKIDFIRST", "AKIDSECOND"] })
            enclave.outcome.withLock { $0 = .refused }
            source.give(.success(Source.set("AKIDTHIRD")))
            #expect(
                await eventually { enclave.handed.withLock { $0.filter { $0 == "AKIDTHIRD" }.count } > 1 },
                "one that was refused is offered again")
        }
        #expect(enclave.handed.withLock { $0.filter { $0 == "AKIDFIRST" } }.count == 1)
    }

    @Test func bringsAClientSecretUntilTheEnclaveHasItOrANewerOne() async throws {
        let enclave = Enclave()
        enclave.clientSecretVersion.withLock { $0 = 1 }
        let fake = try enclave.start(host, .init())
        defer { fake.stop() }
        let source = Source()
        source.give(.success(Source.set("AKIDFIRST", clientSecret: 2)))
        try await running(client(fake, source)) {
            #expect(await eventually { enclave.handed.withLock { $0.count } > 2 }, "1 is older than 2")
            enclave.clientSecretVersion.withLock { $0 = 3 }
            let count = enclave.handed.withLock { $0.count }
            source.give(.success(Source.set("AKIDSECOND", clientSecret: 2)))
            #expect(await eventually { enclave.handed.withLock { $0.last } == "AKIDSECOND" })
            source.give(.success(Source.set("AKIDTHIRD")))
            #expect(await eventually { enclave.handed.withLock { $0.last } == "AKIDTHIRD" })
            let after = enclave.handed.withLock { $0.dropFirst(count) }
            #expect(after.filter { $0 == "AKIDSECOND" }.count == 1 && after.filter { $0 == "AKIDTHIRD" }.count == 1)
        }
    }

    @Test func bringsARestartedEnclaveBackToServing() async throws {
        let enclave = Enclave()
        let first = try enclave.start(host, .init())
        let port = first.port
        let client = client(first, Source())
        try await running(client) {
            try await client.expectEcho([1])
            first.stop()
            for session in first.sessions { session.close(.closedLocally) }
            var second: FakeEnclave?
            for _ in 0..<200 where second == nil {
                second = try? enclave.start(self.host, .init(status: .starting), port: port)
                if second == nil { try await Task.sleep(for: .milliseconds(25)) }
            }
            defer { second?.stop() }
            let restarted = try #require(second)
            #expect(await eventually { restarted.status.withLock { $0 } == .ok && client.openSessions > 0 })
            try await client.expectEcho([2])
        }
    }

    @Test func handsNothingOverOutsideModeRemote() async throws {
        let enclave = Enclave()
        let fake = try enclave.start(host, .init())
        defer { fake.stop() }
        let client = host.client(of: fake, credentials: Source()) { $0.credentialInterval = .milliseconds(1) }
        try await running(client) {
            for byte in UInt8(0)..<20 { try await client.expectEcho([byte]) }
        }
        #expect(enclave.handed.withLock { $0 }.isEmpty)
    }
}
