import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

let keyARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

/// A secure module whose documents are length-prefixed fields instead of signed CBOR.
final class FakeModule: SecureModule {
    struct State {
        var documents: [[[UInt8]]] = []
        var fails = false
    }

    let state = Mutex(State())

    func attest(userData: [UInt8]?, nonce: [UInt8]?, publicKey: [UInt8]?) throws(SecureModuleError) -> [UInt8] {
        let fields = [userData ?? [], nonce ?? [], publicKey ?? []]
        return try state.withLock { state throws(SecureModuleError) in
            if state.fails { throw .unavailable }
            state.documents.append(fields)
            return fields.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 0xFF)] + $0 }
        }
    }

    func register(_ index: UInt16) throws(SecureModuleError) -> [UInt8] { throw .refused }
    func random() throws(SecureModuleError) -> [UInt8] { Random.bytes(32) }

    static func fields(_ document: [UInt8]) -> [[UInt8]] {
        var rest = document[...]
        var fields: [[UInt8]] = []
        while rest.count >= 2 {
            let count = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            fields.append(Array(rest.dropFirst(2).prefix(count)))
            rest = rest.dropFirst(2 + count)
        }
        return fields
    }
}

/// KMS with real cryptography behind no network; a test decides what it, or someone on the way, changes.
final class FakeKMS: KMSTransport {
    struct Request: Sendable {
        let target: String
        let accessKeyID: String
        let keyID: String
        let context: [String: String]
        let ciphertext: [UInt8]?
        let userData: [UInt8]
        let nonce: [UInt8]
        let publicKey: [UInt8]
    }

    struct State {
        var requests: [Request] = []
        /// Statuses and error types to answer with first.
        var failures: [(status: Int, type: String)] = []
        /// Access key ids that may do everything; nil: all.
        var allowed: Set<String>?
        var isUnreachable = false
        var envelope = TestEnvelope()
        /// Changes the members of a 200 before they are sent.
        var change: (@Sendable (Request, inout [String: String?]) -> Void)?
        /// Runs while a request is under way.
        var onRequest: (@Sendable (Request) -> Void)?
    }

    let state = Mutex(State())
    private let material = SecretBytes(random: 32)

    func post(
        _ body: [UInt8], target: String, credentials: AWSCredentials, milliseconds: Int
    ) throws(ProviderFault) -> KMSReply {
        guard let request = try? Self.read(body, target, credentials) else {
            return Self.error(400, "ValidationException")
        }
        let (hook, unreachable) = state.withLock {
            $0.requests.append(request)
            return ($0.onRequest, $0.isUnreachable)
        }
        hook?(request)
        if unreachable { throw .unavailable }
        if let failure = state.withLock({ $0.failures.isEmpty ? nil : $0.failures.removeFirst() }) {
            return Self.error(failure.status, failure.type)
        }
        if let allowed = state.withLock({ $0.allowed }), !allowed.contains(request.accessKeyID) {
            return Self.error(400, "AccessDeniedException")
        }
        guard let members = try? answer(request) else { return Self.error(400, "InvalidCiphertextException") }
        return KMSReply(status: 200, body: Self.json(members))
    }

    private func answer(_ request: Request) throws -> [String: String?] {
        var members: [String: String?] = ["KeyId": request.keyID]
        members["Plaintext"] = .some(nil)
        let plaintext: [UInt8]
        if request.target.hasSuffix("Decrypt") {
            guard let opened = decrypt(request.ciphertext ?? [], request.context) else {
                throw VaultError.keyStoreFailed
            }
            plaintext = opened
            members["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT"
        } else {
            plaintext = Random.bytes(32)
            members["CiphertextBlob"] = Base64.encode(encrypt(plaintext, request.context))
        }
        let (envelope, change) = state.withLock { ($0.envelope, $0.change) }
        members["CiphertextForRecipient"] = Base64.encode(try envelope.seal(plaintext, to: request.publicKey))
        change?(request, &members)
        return members
    }

    /// `Encrypt`, as a principal of the account may call it: no document needed.
    func encrypt(_ plaintext: [UInt8], _ context: [String: String]) -> [UInt8] {
        let nonce = Random.bytes(24)
        return nonce
            + plaintext.withUnsafeBytes { plaintext in
                material.withUnsafeBytes {
                    XChaCha20Poly1305.seal(plaintext: plaintext, key: $0, nonce: nonce, ad: Self.data(context))
                }
            }
    }

    func decrypt(_ ciphertext: [UInt8], _ context: [String: String]) -> [UInt8]? {
        guard ciphertext.count > 24 else { return nil }
        return Array(ciphertext[24...]).withUnsafeBytes { sealed in
            material.withUnsafeBytes {
                XChaCha20Poly1305.openPublic(
                    ciphertext: sealed, key: $0, nonce: Array(ciphertext[..<24]), ad: Self.data(context))
            }
        }
    }

    private static func data(_ context: [String: String]) -> [UInt8] {
        context.sorted { $0.key < $1.key }.flatMap { Array("\($0.key)=\($0.value)\0".utf8) }
    }

    private static func read(_ body: [UInt8], _ target: String, _ credentials: AWSCredentials) throws -> Request {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        let recipient = try #require(object["Recipient"] as? [String: String])
        try #require(recipient["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256")
        let document = FakeModule.fields(
            try #require(recipient["AttestationDocument"].flatMap { Base64.decode($0) }))
        if target.hasSuffix("GenerateDataKey") { try #require(object["KeySpec"] as? String == "AES_256") }
        return Request(
            target: target, accessKeyID: credentials.accessKeyID, keyID: try #require(object["KeyId"] as? String),
            context: try #require(object["EncryptionContext"] as? [String: String]),
            ciphertext: (object["CiphertextBlob"] as? String).flatMap { Base64.decode($0) }, userData: document[0],
            nonce: document[1], publicKey: document[2])
    }

    private static func error(_ status: Int, _ type: String) -> KMSReply {
        KMSReply(status: status, body: json(["__type": "com.amazonaws.kms#\(type)", "message": "no"]))
    }

    static func json(_ members: [String: String?]) -> [UInt8] {
        let pairs = members.sorted { $0.key < $1.key }.map { name, value in
            "\"\(name)\":" + (value.map { "\"\($0)\"" } ?? "null")
        }
        return Array("{\(pairs.joined(separator: ","))}".utf8)
    }
}

/// A set of credentials by name.
func credentials(_ name: String, secret: String = "secret", expiresAt: UInt64? = nil) -> KMSCredentials {
    KMSCredentials(
        accessKeyID: name, secretAccessKey: Array(secret.utf8), sessionToken: Array("token".utf8),
        expiresAt: expiresAt)
}

/// An enclave's client of a fake KMS, with one accepted set.
struct KMSBench {
    let kms = FakeKMS()
    let module = FakeModule()
    let pauses = Mutex2<[Int]>([])
    let client: AWSKeyManagement

    init(accepts name: String? = "ROLE") throws {
        let pauses = self.pauses
        client = AWSKeyManagement(
            key: try #require(AWSKeyID(keyARN)), module: module, transport: kms,
            log: Log(level: .error, json: true), recipientStock: 1,
            pause: { milliseconds in pauses.value.withLock { $0.append(milliseconds) } })
        if let name { client.sets.withLock { $0.accept(AWSCredentials(credentials(name))) } }
    }

    var requests: [FakeKMS.Request] { kms.state.withLock { $0.requests } }

    func generate(version: UInt32 = 1) throws(VaultError) -> (plaintext: [UInt8], wrapped: [UInt8]) {
        let key = try client.generateDataKey(keyID: keyARN, version: version)
        return (bytes(key.plaintext), key.wrapped)
    }

    func unwrap(_ wrapped: [UInt8], version: UInt32 = 1) throws(VaultError) -> [UInt8] {
        bytes(try client.unwrap(wrapped, keyID: keyARN, version: version))
    }

    /// The error of `body`, nil when it succeeds.
    func fault(_ body: () throws(VaultError) -> Void) -> VaultError? {
        do throws(VaultError) {
            try body()
            return nil
        } catch {
            return error
        }
    }
}

/// A `Mutex` that a copyable value can hold.
final class Mutex2<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}

func bytes(_ secret: borrowing SecretBytes) -> [UInt8] { secret.withUnsafeBytes { Array($0) } }

extension RecipientKey {
    /// What an envelope holds, in ordinary memory.
    func opened(_ envelope: [UInt8], atMost limit: Int = 32) -> [UInt8]? {
        guard let secret = open(envelope, atMost: limit) else { return nil }
        return bytes(secret)
    }
}
