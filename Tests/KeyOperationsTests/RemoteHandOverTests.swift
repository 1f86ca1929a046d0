import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import SimulatedNitro
import SimulatorKit
import Sodium
import Synchronization
import Testing

@testable import KeyOperations

/// The built `enclave-runtime` against the simulated secure module and KMS, under the policy that `alfredctl keys policy`
/// prints, with a host that has nothing but its instance's role.
@Suite(.serialized) struct RemoteHandOverTests {
    /// Records and wrapped keys in memory.
    private final class Store: RecordStore {
        private let keys = Mutex<[UInt32: WrappedKey]>([:])

        func record(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord? { nil }
        func put(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome { .refused }

        func wrappedKey(_ reference: WrappedKeyReference) async throws(EnclaveFailure) -> WrappedKey? {
            keys.withLock { $0[reference.keyVersion] }
        }

        func insertWrappedKey(_ put: WrappedKeyPut) async throws(EnclaveFailure) -> Bool {
            keys.withLock { keys in
                guard keys[put.reference.keyVersion] == nil else { return false }
                keys[put.reference.keyVersion] = put.key
                return true
            }
        }
    }

    private func value(
        _ world: KMSWorld, _ secret: [UInt8], _ context: [String: JSONValue], prefix: String
    ) async throws -> String {
        let answer = try await world.call(
            "Encrypt",
            [
                "KeyId": .string(KMSSettings.keyARN), "Plaintext": .blob(of: secret),
                "EncryptionContext": .object(context),
            ], as: world.person)
        return prefix + (try #require(answer.json["CiphertextBlob"]?.text))
    }

    /// Starts the enclave; it ends with `body`.
    private func withEnclave(
        _ world: KMSWorld, hostKey: [UInt8], signingKey: [UInt8], _ body: @Sendable (UInt16) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "remote-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try SecureModuleServer(world.module, path: folder.appending(path: "nsm.sock").path)
        defer { server.close() }
        let port = world.endpoints.kms.split(separator: ":").last ?? ""
        let secret = try await value(
            world, Array("client secret".utf8), ["purpose": "GOOGLE_OAUTH_CLIENT_SECRET", "version": "1"],
            prefix: "kms:1:")
        let key = try await value(
            world, Array(Base64.encode(signingKey).utf8), ["purpose": "TEE_ATTESTATION_SIGNING_PRIVATE_KEY"],
            prefix: "kms:")
        let process = Process()
        process.executableURL = Self.product("enclave-runtime")
        process.currentDirectoryURL = folder
        process.environment = [
            "ALFRED_ENV": "local", "ENCLAVE_RUNTIME_MODE": "remote", "ENCLAVE_RUNTIME_BIND_ADDR": "127.0.0.1:0",
            "NSM_DEVICE_PATH": folder.appending(path: "nsm.sock").path, "KMS_KEY_ID": KMSSettings.keyARN,
            "KMS_ALLOWED_MEASUREMENTS": Self.measurement(world), "EGRESS_CA_FILE": world.endpoints.caFile,
            "ENCLAVE_EGRESS_ROUTES": "kms.\(KMSSettings.region).amazonaws.com:443=tcp://127.0.0.1:\(port)",
            "ENCLAVE_RPC_ALLOWED_CLIENTS": "api:\(Base64.encode(hostKey))", "GOOGLE_OAUTH_CLIENT_ID": "client",
            "GOOGLE_OAUTH_CLIENT_SECRET": secret, "TEE_ATTESTATION_SIGNING_PRIVATE_KEY": key,
            "GOOGLE_OAUTH_REDIRECT_URI": "https://app.example.test/oauth/google/callback",
        ]
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try await body(try await Self.port(in: log, of: process))
    }

    private static func product(_ name: String) -> URL {
        var root = URL(filePath: #filePath)
        while root.path != "/", !FileManager.default.fileExists(atPath: root.appending(path: "Package.swift").path) {
            root.deleteLastPathComponent()
        }
        return root.appending(path: ".build/debug/\(name)")
    }

    private static func port(in log: URL, of process: Process) async throws -> UInt16 {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let text = try String(contentsOf: log, encoding: .utf8)
            if let match = text.firstMatch(of: /"enclave_ready","address":"tcp:\/\/127.0.0.1:([0-9]+)"/) {
                return try #require(UInt16(match.1))
            }
            try #require(process.isRunning, "\(text)")
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CancellationError()
    }

    private static func publicKey(ofSeed seed: [UInt8]) throws -> [UInt8] {
        guard let key = Ed25519.SigningKey(seed: SecretBytes(copying: seed)) else { throw CancellationError() }
        return key.publicKey
    }

    private static func measurement(_ world: KMSWorld) -> String {
        (0...2).map { "pcr\($0)=\(hex(world.module.registers[$0]))" }.joined(separator: "+")
    }

    private func client(
        _ world: KMSWorld, port: UInt16, hostKey: HostKey, signingKey: [UInt8], credentials: any CredentialSource
    ) throws -> EnclaveClient {
        let policy = AttestationPolicy(
            expectedRuntime: "nitro", environment: "local",
            allowedMeasurements: [AcceptedMeasurement(name: "r1", Self.measurement(world))],
            publicKeys: [signingKey], maximumAgeSeconds: 300,
            nitroRoot: try NitroRoot(testCertificate: world.module.authority.root))
        return EnclaveClient(
            configuration: EnclaveClientConfiguration(
                mode: .remote, endpoint: .tcp(host: "127.0.0.1", port: port), role: .api, sessions: 1,
                probeTimeout: .seconds(10), probeAttempts: 1, policy: policy),
            hostKey: hostKey, records: Store(), credentials: credentials, metrics: MetricsRegistry(),
            log: HostLog(process: .tests, sink: LogSink { _ in }))
    }

    private func roleCredentials(_ world: KMSWorld) throws -> HostCredentials {
        var reader = ConfigurationReader(
            EnvironmentSource.load(
                process: .api, environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": world.endpoints.metadata],
                directory: FileManager.default.temporaryDirectory.path))
        return HostCredentials(KeyAccessConfiguration(reading: &reader))
    }

    @Test(.timeLimit(.minutes(2))) func anInstancesRoleOpensTheEnclaveThatThePrintedPolicyAdmits() async throws {
        try await KMSWorld.run { world in
            let hostKey = HostKey(X25519.PrivateKey())
            let seed = Random.bytes(32)
            let signingKey = try Self.publicKey(ofSeed: seed)
            try await withEnclave(world, hostKey: hostKey.publicKey, signingKey: seed) { port in
                let client = try client(
                    world, port: port, hostKey: hostKey, signingKey: signingKey,
                    credentials: try roleCredentials(world))
                #expect(try await client.health().status == .starting)
                try await client.probe()
                #expect(try await client.health().status == .ok && client.attestedMeasurement == "r1")
                #expect(try await world.control.count(of: .kmsGenerateDataKey) > 0)
            }
        }
    }

    @Test(.timeLimit(.minutes(2))) func anEnclaveOfTheRightImageOnAnotherRoleStaysShut() async throws {
        try await KMSWorld.run { world in
            world.module.setRegister(
                3, Registers.extended(Registers.zero, by: Array("arn:aws:iam::111122223333:role/thief".utf8)))
            let hostKey = HostKey(X25519.PrivateKey())
            let seed = Random.bytes(32)
            let signingKey = try Self.publicKey(ofSeed: seed)
            try await withEnclave(world, hostKey: hostKey.publicKey, signingKey: seed) { port in
                let client = try client(
                    world, port: port, hostKey: hostKey, signingKey: signingKey,
                    credentials: try roleCredentials(world))
                await #expect { try await client.probe() } throws: { ($0 as? ProbeFailure)?.step == .credentials }
                #expect(try await client.health().status == .starting)
            }
        }
    }
}
