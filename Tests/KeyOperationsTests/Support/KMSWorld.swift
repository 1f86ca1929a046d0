import AsyncHTTPClient
import Crypto
import CryptoExtras
import EnclaveClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import SimulatedNitro
import SimulatorKit
import Testing

@testable import KeyOperations

/// A running KMS with credentials for everybody, an enclave's secure module, and a client that signs.
struct KMSWorld: Sendable {
    static let image = "alfred-1"
    static let role = KMSSettings.parentRole

    let endpoints: SimulatorEndpoints
    let control: SimulatorControl
    let http: HTTPClient
    let module: SimulatedSecureModule
    /// The enclave's RSA key: the public half as SubjectPublicKeyInfo, the private one as PEM.
    let recipientKey: [UInt8]
    let recipientPEM: String
    /// What the parent instance has, and with it whoever controls the host.
    let parent: AWSCredentialSet
    let person: AWSCredentialSet
    let administrator: AWSCredentialSet

    /// The policy that `alfredctl keys policy` prints for this image on this role.
    static func policy(module: SimulatedSecureModule) -> String {
        let registers = (0...2).map { "pcr\($0)=\(hex(module.registers[$0]))" }.joined(separator: "+")
        return RecommendedPolicy(
            releases: RecommendedPolicy.Release("r1@\(registers)").map { [$0] } ?? [], parentRole: role,
            operatorRole: KMSSettings.operatorRole, administrators: [KMSSettings.administratorRole]
        ).json
    }

    /// Runs `body` beside simulators of its own, under the printed policy.
    static func run(
        now: @escaping @Sendable () -> Date = { Date() }, _ body: @escaping @Sendable (KMSWorld) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kms-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let authority = NitroPKI()
        let module = SimulatedSecureModule(
            authority: authority,
            registers: Registers.make(image: image, role: role, instanceID: authority.instanceID))
        let configuration = SimulatorConfiguration(
            stateFolder: folder.path, kms: KMSSettings(nitroRoot: authority.root), now: now)
        try await withSimulators(configuration) { endpoints, control in
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(endpoints.caFile)
            var options = HTTPClient.Configuration(tlsConfiguration: tls)
            options.httpVersion = .http1Only
            let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: options)
            let recipient = try _RSA.Encryption.PrivateKey(keySize: .bits2048)
            let world = KMSWorld(
                endpoints: endpoints, control: control, http: http, module: module,
                recipientKey: Array(recipient.publicKey.derRepresentation), recipientPEM: recipient.pemRepresentation,
                parent: .random(principal: role),
                person: .random(principal: KMSSettings.operatorRole),
                administrator: .random(principal: KMSSettings.administratorRole))
            for set in [world.parent, world.person, world.administrator] {
                try await control.addAWSCredentials(set)
            }
            try await control.setKMSPolicy(policy(module: module))
            do {
                try await body(world)
            } catch {
                try await http.shutdown()
                throw error
            }
            try await http.shutdown()
        }
    }

    /// One signed request; the answer with the error's type where there is one.
    func call(
        _ operation: String, _ body: JSONValue, as set: AWSCredentialSet? = nil, at date: Date = Date(),
        spoil: (inout [String: String]) -> Void = { _ in }
    ) async throws -> KMSAnswer {
        let set = set ?? parent
        let bytes = Array(try JSONEncoder().encode(body))
        let port = endpoints.kms.split(separator: ":").last.map(String.init) ?? ""
        var headers = [
            "host": "localhost:\(port)", "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "TrentService.\(operation)", "x-amz-date": RequestSignature.time(date),
        ]
        if let token = set.sessionToken { headers["x-amz-security-token"] = token }
        headers["authorization"] =
            RequestSignature(
                accessKeyID: set.accessKeyID, secretAccessKey: Array(set.secretAccessKey.utf8),
                region: KMSSettings.region, service: "kms"
            ).header(over: headers, body: bytes)
        spoil(&headers)
        var request = HTTPClientRequest(url: endpoints.kms + "/")
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: bytes))
        let response = try await http.execute(request, timeout: .seconds(20))
        let data = try await response.body.collect(upTo: 8 << 20)
        let json = try? JSONDecoder().decode(JSONValue.self, from: Data(data.readableBytesView))
        return KMSAnswer(status: Int(response.status.code), json: json ?? .null)
    }

    /// A document for `recipient`, of the enclave's module unless another is given.
    func recipientMember(_ module: SimulatedSecureModule? = nil, document: [UInt8]? = nil) -> JSONValue {
        let document = document ?? (module ?? self.module).document(publicKey: recipientKey)
        return [
            "AttestationDocument": .string(Data(document).base64EncodedString()),
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        ]
    }

    static let context: JSONValue = ["purpose": "data-key", "version": "1"]

    func generate(_ module: SimulatedSecureModule? = nil) async throws -> KMSAnswer {
        try await call(
            "GenerateDataKey",
            [
                "KeyId": .string(KMSSettings.keyARN), "KeySpec": "AES_256", "EncryptionContext": Self.context,
                "Recipient": recipientMember(module),
            ])
    }

    /// What OpenSSL makes of an envelope; nil where it cannot open it.
    func open(_ envelope: [UInt8]) throws -> [UInt8]? {
        let folder = FileManager.default.temporaryDirectory.appending(path: "cms-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (key, file) = (folder.appending(path: "key.pem"), folder.appending(path: "envelope"))
        try Data(recipientPEM.utf8).write(to: key)
        try Data(envelope).write(to: file)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", file.path, "-inkey", key.path,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? Array(data) : nil
    }
}

/// An answer of KMS.
struct KMSAnswer: Sendable {
    let status: Int
    let json: JSONValue

    var error: String? { json["__type"]?.text }
    var plaintext: [UInt8]? { blob("Plaintext") }
    var ciphertext: [UInt8]? { blob("CiphertextBlob") }
    var envelope: [UInt8]? { blob("CiphertextForRecipient") }

    private func blob(_ name: String) -> [UInt8]? {
        json[name]?.text.flatMap { Data(base64Encoded: $0) }.map(Array.init)
    }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
}

extension JSONValue {
    static func blob(of bytes: [UInt8]?) -> JSONValue { .string(Data(bytes ?? []).base64EncodedString()) }
}
