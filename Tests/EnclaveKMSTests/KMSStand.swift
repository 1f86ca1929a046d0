import EnclaveProtocol
import EnclaveVault
import Foundation
import SimulatedNitro
import SimulatorKit
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// The simulated KMS behind TLS, with a key policy for one image on one instance, and enclaves that ask it.
struct KMSStand: Sendable {
    static let image = Registers.make(image: "alfred", instanceID: "i-0123456789abcdef0")

    let endpoints: SimulatorEndpoints
    let control: SimulatorControl
    let authority: NitroPKI
    /// What the instance's role signs with.
    let role: AWSCredentialSet
    /// What the operator signs with.
    let person: AWSCredentialSet

    /// Runs `body` beside simulators of its own.
    static func run(_ body: @escaping @Sendable (KMSStand) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kms-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let authority = NitroPKI()
        let settings = KMSSettings(nitroRoot: authority.root)
        let configuration = SimulatorConfiguration(stateFolder: folder.path, kms: settings)
        try await withSimulators(configuration) { endpoints, control in
            let stand = KMSStand(
                endpoints: endpoints, control: control, authority: authority,
                role: .random(principal: KMSSettings.parentRole),
                person: .random(principal: KMSSettings.operatorRole))
            try await control.addAWSCredentials(stand.role)
            try await control.addAWSCredentials(stand.person)
            try await control.setKMSPolicy(policy())
            try await body(stand)
        }
    }

    /// Data keys for the images on the instance alone; ciphertext of configuration by the operator.
    static func policy(_ more: String = "", for images: [[[UInt8]]] = [image]) -> String {
        let releases = images.map { image in
            let registers = (0...3).map { index in
                "\"kms:RecipientAttestation:PCR\(index)\":\"\(image[index].map { String(format: "%02x", $0) }.joined())\""
            }
            return """
                {"Effect":"Allow","Principal":{"AWS":"\(KMSSettings.parentRole)"},
                 "Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*",
                 "Condition":{"StringEqualsIgnoreCase":{\(registers.joined(separator: ","))}}},
                """
        }
        return """
            {"Statement":[\(releases.joined())
            {"Effect":"Allow","Principal":{"AWS":"\(KMSSettings.operatorRole)"},"Action":"kms:Encrypt","Resource":"*",
             "Condition":{"StringEquals":{"kms:EncryptionContext:purpose":
             ["GOOGLE_OAUTH_CLIENT_SECRET","TEE_ATTESTATION_SIGNING_PRIVATE_KEY"]}}}\(more)]}
            """
    }

    func enclave(
        registers: [[UInt8]] = image, authority: NitroPKI? = nil, _ overrides: [String: String] = [:]
    ) throws -> TestEnclave {
        try TestEnclave(
            endpoints: endpoints,
            module: SimulatedSecureModule(authority: authority ?? self.authority, registers: registers), overrides)
    }

    /// An operation called by someone without an enclave, signed by the command line tool of curl.
    func call(_ operation: String, _ body: [String: Any], as set: AWSCredentialSet) throws -> [String: Any] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let host = "kms.\(KMSSettings.region).amazonaws.com"
        let port = try #require(URL(string: endpoints.kms)?.port)
        process.arguments =
            [
                "curl", "--silent", "--max-time", "20", "--cacert", endpoints.caFile, "--connect-to",
                "\(host):443:127.0.0.1:\(port)", "--aws-sigv4", "aws:amz:\(KMSSettings.region):kms", "--user",
                "\(set.accessKeyID):\(set.secretAccessKey)", "-H", "Content-Type: application/x-amz-json-1.1", "-H",
                "X-Amz-Target: TrentService.\(operation)", "--data",
                String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self),
            ] + (set.sessionToken.map { ["-H", "X-Amz-Security-Token: \($0)"] } ?? []) + ["https://\(host)/"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try #require(try JSONSerialization.jsonObject(with: answer) as? [String: Any])
    }

    /// A value that the operator encrypts for one variable.
    func encrypt(_ text: String, _ context: [String: String]) throws -> String {
        let answer = try call(
            "Encrypt",
            [
                "KeyId": KMSSettings.keyARN, "Plaintext": Data(text.utf8).base64EncodedString(),
                "EncryptionContext": context,
            ], as: person)
        return try #require(answer["CiphertextBlob"] as? String)
    }
}

/// `enclave-runtime`'s key service over the real egress, with a secure module on a socket.
final class TestEnclave: Sendable {
    let service: AWSKeyService
    let configuration: EnclaveConfiguration
    let isOpen = Mutex(false)
    private let server: SecureModuleServer

    init(endpoints: SimulatorEndpoints, module: SimulatedSecureModule, _ overrides: [String: String]) throws {
        let port = try #require(URL(string: endpoints.kms)?.port)
        configuration = try EnclaveConfiguration(
            [
                "ALFRED_ENV": "local", "ENCLAVE_RUNTIME_MODE": "remote", "KMS_KEY_ID": KMSSettings.keyARN,
                "ENCLAVE_RPC_ALLOWED_CLIENTS": "api:\(Base64.encode(X25519.PrivateKey().publicKey))",
                "GOOGLE_OAUTH_CLIENT_ID": "client-1", "GOOGLE_OAUTH_CLIENT_SECRET": "s3cret",
                "GOOGLE_OAUTH_REDIRECT_URI": "http://127.0.0.1:8080/oauth/google/callback",
                "EGRESS_CA_FILE": endpoints.caFile,
                "ENCLAVE_EGRESS_ROUTES": "kms.\(KMSSettings.region).amazonaws.com:443=tcp://127.0.0.1:\(port)",
            ].merging(overrides) { $1 }, for: .remote)
        let path = FileManager.default.temporaryDirectory.appending(path: "nsm-\(UUID().uuidString.prefix(8))").path
        server = try SecureModuleServer(module, path: path)
        service = try #require(
            AWSKeyService(
                configuration, module: try NSMClient(path: path), log: Log(level: .error, json: true)))
        service.begin { [weak self] in self?.isOpen.withLock { $0 = true } }
    }

    deinit { server.close() }

    func offer(
        _ set: AWSCredentialSet, session: UInt64 = 1, clientSecret: KMSCredentials.ClientSecret? = nil
    ) async throws -> KMSCredentialsAnswer {
        let message = KMSCredentials(
            accessKeyID: set.accessKeyID, secretAccessKey: Array(set.secretAccessKey.utf8),
            sessionToken: set.sessionToken.map { Array($0.utf8) }, clientSecret: clientSecret)
        return try await blocking { [service] in try service.offer(message, session: session) }
    }

    /// A vault of this enclave that has loaded nothing yet.
    func vault(_ active: UInt32 = 1, _ decrypt: [UInt32] = []) throws -> TokenVault {
        TokenVault(
            policy: try #require(
                KeyPolicy(keyID: KMSSettings.keyARN, activeVersion: active, decryptVersions: decrypt)), kms: service)
    }
}

/// Rows of wrapped keys; there are no connectors here.
final class WrappedKeys: RecordPort {
    let rows = Mutex<[UInt32: WrappedKey]>([:])

    func record(user: UserID, connector: ConnectorID) throws(VaultError) -> StoredRecord? { nil }

    func put(
        user: UserID, connector: ConnectorID, expectedVersion: UInt64, record: StoredRecord
    ) throws(VaultError) -> PutOutcome { .refused }

    func wrappedKey(keyID: String, version: UInt32) throws(VaultError) -> WrappedKey? { rows.withLock { $0[version] } }

    func putWrappedKey(_ key: WrappedKey, keyID: String, version: UInt32) throws(VaultError) -> Bool {
        rows.withLock { rows in
            guard rows[version] == nil else { return false }
            rows[version] = key
            return true
        }
    }
}

/// Runs what blocks on a thread of its own.
func blocking<Answer: Sendable>(_ body: @escaping @Sendable () throws -> Answer) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
