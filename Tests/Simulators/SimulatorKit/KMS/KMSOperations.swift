import Crypto
import Foundation

/// The operations that are simulated.
enum KMSOperation: String, CaseIterable {
    case generateDataKey = "GenerateDataKey"
    case generateDataKeyWithoutPlaintext = "GenerateDataKeyWithoutPlaintext"
    case decrypt = "Decrypt"
    case encrypt = "Encrypt"
    case reEncrypt = "ReEncrypt"
    case describeKey = "DescribeKey"
    case getKeyPolicy = "GetKeyPolicy"
    case putKeyPolicy = "PutKeyPolicy"
    case createGrant = "CreateGrant"

    var call: ProviderCall {
        switch self {
        case .generateDataKey: .kmsGenerateDataKey
        case .generateDataKeyWithoutPlaintext: .kmsGenerateDataKeyWithoutPlaintext
        case .decrypt: .kmsDecrypt
        case .encrypt: .kmsEncrypt
        case .reEncrypt: .kmsReEncrypt
        case .describeKey: .kmsDescribeKey
        case .getKeyPolicy: .kmsGetKeyPolicy
        case .putKeyPolicy: .kmsPutKeyPolicy
        case .createGrant: .kmsCreateGrant
        }
    }
}

/// The members of one request, checked as they are read.
struct KMSRequest {
    private let members: [String: JSONValue]

    init(_ members: [String: JSONValue]) { self.members = members }

    func has(_ name: String) -> Bool { members[name].map { $0 != .null } ?? false }

    func text(_ name: String) throws(KMSError) -> String? {
        guard has(name) else { return nil }
        guard let text = members[name]?.text else { throw .serialization("\(name) must be a string") }
        return text
    }

    func required(_ name: String) throws(KMSError) -> String {
        guard let text = try text(name) else {
            throw .validation(
                "1 validation error detected: Value null at '\(name)' failed to satisfy constraint: Member must not be"
                    + " null")
        }
        return text
    }

    /// A blob of `range` bytes.
    func blob(_ name: String, _ range: ClosedRange<Int>) throws(KMSError) -> [UInt8] {
        guard let data = Data(base64Encoded: try required(name)) else { throw .serialization("\(name) is no base64") }
        guard range.contains(data.count) else {
            throw .validation("1 validation error detected: Value at '\(name)' failed to satisfy constraint: length")
        }
        return Array(data)
    }

    func context(_ name: String = "EncryptionContext") throws(KMSError) -> [String: String] {
        guard has(name) else { return [:] }
        guard case .object(let pairs)? = members[name] else { throw .serialization("\(name) must be a map") }
        var context: [String: String] = [:]
        for (key, value) in pairs {
            guard let text = value.text else { throw .serialization("\(name) must be a map of strings") }
            context[key] = text
        }
        return context
    }

    func texts(_ name: String) -> [String] { KeyPolicy.texts(members[name]) }

    /// Bytes of the data key that is asked for.
    func dataKeyBytes() throws(KMSError) -> Int {
        switch (try text("KeySpec"), members["NumberOfBytes"]?.integer) {
        case ("AES_256", nil): return 32
        case ("AES_128", nil): return 16
        case (nil, let count?) where (1...1024).contains(count): return count
        default: throw .validation("Please specify either number of bytes or key spec.")
        }
    }

    /// The document of `Recipient`; nil where there is none.
    func recipientDocument() throws(KMSError) -> [UInt8]? {
        guard has("Recipient") else { return nil }
        guard case .object(let recipient)? = members["Recipient"] else { throw .serialization("Recipient") }
        let inner = KMSRequest(recipient)
        guard try inner.required("KeyEncryptionAlgorithm") == "RSAES_OAEP_SHA_256" else {
            throw .validation(
                "1 validation error detected: Value at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint:"
                    + " Member must satisfy enum value set: [RSAES_OAEP_SHA_256]")
        }
        return try inner.blob("AttestationDocument", 1...262_144)
    }
}

extension KMSSimulator {
    func perform(
        _ operation: KMSOperation, _ request: KMSRequest, by caller: AWSCredentialSet
    ) throws(KMSError) -> [String: JSONValue] {
        switch operation {
        case .generateDataKey, .generateDataKeyWithoutPlaintext: try generate(operation, request, caller)
        case .decrypt: try decrypt(request, caller)
        case .encrypt: try encrypt(request, caller)
        case .reEncrypt: try reEncrypt(request, caller)
        case .describeKey: try describe(request, caller)
        case .getKeyPolicy: try policy(request, caller)
        case .putKeyPolicy: try setPolicy(request, caller)
        case .createGrant: try grant(request, caller)
        }
    }

    private func generate(
        _ operation: KMSOperation, _ request: KMSRequest, _ caller: AWSCredentialSet
    ) throws(KMSError) -> [String: JSONValue] {
        let count = try request.dataKeyBytes()
        let key = try key(request, caller)
        let context = try request.context()
        let recipient = operation == .generateDataKey ? try recipient(of: request) : nil
        try authorize(operation.rawValue, on: key, caller, context, recipient)
        let plaintext = SymmetricKey(size: .init(bitCount: count * 8)).withUnsafeBytes(Array.init)
        var answer: [String: JSONValue] = [
            "CiphertextBlob": .blob(try seal(plaintext, under: key, context)), "KeyId": .string(key.arn),
        ]
        if operation == .generateDataKey { try release(plaintext, to: recipient, in: &answer) }
        return answer
    }

    private func decrypt(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        let blob = try request.blob("CiphertextBlob", 1...6144)
        let context = try request.context()
        let recipient = try recipient(of: request)
        let key = try key(ofBlob: blob, named: request.text("KeyId"), caller)
        try authorize("Decrypt", on: key, caller, context, recipient)
        var answer: [String: JSONValue] = ["KeyId": .string(key.arn), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"]
        try release(try open(blob, under: key, context), to: recipient, in: &answer)
        return answer
    }

    private func encrypt(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        guard !request.has("Recipient") else { throw .validation("Recipient is not a parameter of Encrypt") }
        let plaintext = try request.blob("Plaintext", 1...4096)
        let key = try key(request, caller)
        let context = try request.context()
        try authorize("Encrypt", on: key, caller, context, nil)
        return [
            "CiphertextBlob": .blob(try seal(plaintext, under: key, context)), "KeyId": .string(key.arn),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        ]
    }

    private func reEncrypt(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        let blob = try request.blob("CiphertextBlob", 1...6144)
        let (from, to) = (
            try request.context("SourceEncryptionContext"), try request.context("DestinationEncryptionContext")
        )
        let source = try key(ofBlob: blob, named: request.text("SourceKeyId"), caller)
        let target = try key(request, caller, member: "DestinationKeyId")
        try authorize("ReEncryptFrom", on: source, caller, from, nil)
        try authorize("ReEncryptTo", on: target, caller, to, nil)
        let plaintext = try open(blob, under: source, from)
        return [
            "CiphertextBlob": .blob(try seal(plaintext, under: target, to)), "SourceKeyId": .string(source.arn),
            "KeyId": .string(target.arn),
        ]
    }

    private func describe(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        let name = try request.required("KeyId")
        guard let key = book.resolve(name, account: caller.account) else { throw .notFound(name) }
        try authorize("DescribeKey", on: key, caller, [:], nil)
        return [
            "KeyMetadata": [
                "Arn": .string(key.arn), "KeyState": .string(key.state.rawValue), "KeyUsage": "ENCRYPT_DECRYPT",
                "KeySpec": "SYMMETRIC_DEFAULT",
            ]
        ]
    }

    private func policy(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        let key = try key(request, caller)
        try authorize("GetKeyPolicy", on: key, caller, [:], nil)
        return ["Policy": .string(String(decoding: key.policy.bytes, as: UTF8.self)), "PolicyName": "default"]
    }

    private func setPolicy(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        var key = try key(request, caller)
        guard let policy = JSONValue(parsing: Array(try request.required("Policy").utf8)), KeyPolicy(policy) != nil
        else { throw .malformedPolicy }
        try authorize("PutKeyPolicy", on: key, caller, [:], nil)
        key.policy = policy
        guard (try? put(key)) != nil else { throw .malformedPolicy }
        return [:]
    }

    private func grant(_ request: KMSRequest, _ caller: AWSCredentialSet) throws(KMSError) -> [String: JSONValue] {
        let key = try key(request, caller)
        let principal = try request.required("GranteePrincipal")
        try authorize("CreateGrant", on: key, caller, [:], nil)
        book.grants.append(
            KMSKeyBook.Grant(keyARN: key.arn, principal: principal, operations: Set(request.texts("Operations"))))
        return ["GrantId": .string(Base64URL.random(bytes: 32)), "GrantToken": .string(Base64URL.random(bytes: 64))]
    }
}

extension JSONValue {
    static func blob(_ bytes: [UInt8]) -> JSONValue { .string(Data(bytes).base64EncodedString()) }
}
