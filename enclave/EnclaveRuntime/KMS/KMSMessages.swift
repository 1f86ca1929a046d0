internal import EnclaveProtocol
internal import EnclaveVault
internal import Sodium

/// The two operations that KMS answers to an attested enclave here; each has its fields beside key, context and recipient.
enum KMSOperation {
    case generateDataKey
    case decrypt([UInt8])

    /// `X-Amz-Target`.
    var target: String {
        switch self {
        case .generateDataKey: "TrentService.GenerateDataKey"
        case .decrypt: "TrentService.Decrypt"
        }
    }

    /// The request's body; `context` has names and values that need no escaping.
    func body(key: AWSKeyID, context: [(String, String)], document: [UInt8]) -> [UInt8] {
        let pairs = context.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
        let own =
            switch self {
            case .generateDataKey: "\"KeySpec\":\"AES_256\""
            case .decrypt(let ciphertext): "\"CiphertextBlob\":\"\(Base64.encode(ciphertext))\""
            }
        return Array(
            """
            {"KeyId":"\(key.arn)",\(own),"EncryptionContext":{\(pairs)},"Recipient":{\
            "AttestationDocument":"\(Base64.encode(document))","KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}
            """.utf8)
    }
}

/// Why a request to KMS came to nothing.
enum KMSFault: Error, Equatable {
    /// No answer, a server error, too many requests, or nothing to sign with: later it may go well.
    case unavailable
    /// KMS does not let these credentials do it, from this enclave.
    case credentialsRefused
    /// KMS refuses the request itself: a ciphertext of another key or context, a key that is disabled.
    case requestRefused
    /// Not what KMS answers to this request.
    case answerInvalid
    /// Another key than the pinned one, or a plaintext in the clear.
    case policyMismatch

    /// What the vault hears.
    var vaultError: VaultError { self == .policyMismatch ? .keyPolicyMismatch : .keyStoreFailed }
}

/// An answer of KMS to a request with a recipient, its envelope still closed.
struct KMSAnswer {
    /// Largest body that is read, in bytes.
    static let maximumBytes = 32 * 1024

    /// What only the recipient's key opens.
    let envelope: [UInt8]
    /// The data key as KMS alone opens it again; `GenerateDataKey` only.
    let ciphertext: [UInt8]?

    /// Reads a 200 of `operation`; it has to name `key` and must hold no plaintext.
    init(_ body: [UInt8], to operation: KMSOperation, key: AWSKeyID) throws(KMSFault) {
        let members = try JSONText.members(of: body)
        guard case .text(key.arn) = members["KeyId"] else { throw .policyMismatch }
        switch members["Plaintext"] {
        case nil, .null, .text(""): break
        default: throw .policyMismatch
        }
        guard case .text(let envelope)? = members["CiphertextForRecipient"], let envelope = Base64.decode(envelope)
        else {
            throw .answerInvalid
        }
        self.envelope = envelope
        switch (operation, members["CiphertextBlob"]) {
        case (.decrypt, nil), (.decrypt, .null): ciphertext = nil
        case (.generateDataKey, .text(let text)):
            guard let bytes = Base64.decode(text), (1...Limits.maximumWrappedKeyBytes).contains(bytes.count) else {
                throw .answerInvalid
            }
            ciphertext = bytes
        default: throw .answerInvalid
        }
    }

    /// What a status other than 200 means.
    static func fault(status: Int, body: [UInt8]) -> KMSFault {
        guard status < 500, status != 429 else { return .unavailable }
        guard status == 400 || status == 403, let members = try? JSONText.members(of: body),
            case .text(let type)? = members["__type"]
        else { return .answerInvalid }
        return switch type.split(separator: "#").last.map(String.init) {
        case "ThrottlingException", "LimitExceededException", "RequestLimitExceeded", "DependencyTimeoutException",
            "KMSInternalException", "KeyUnavailableException":
            .unavailable
        case "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException",
            "ExpiredToken", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException",
            "MissingAuthenticationTokenException", "OptInRequired":
            .credentialsRefused
        default: .requestRefused
        }
    }
}

/// The members of one flat JSON object, for bodies that hold no secret.
enum JSONText {
    enum Value: Equatable { case text(String), null, other }

    /// All members; anything but one object whose names are unique is refused.
    static func members(of body: [UInt8]) throws(KMSFault) -> [String: Value] {
        var members: [String: Value] = [:]
        var isSound = true
        let complete = unsafe body.withUnsafeBytes { bytes in
            // Of the escapes only the one that some writers use for a slash.
            func text(_ range: Range<Int>) -> String? {
                var text: [UInt8] = []
                var isEscaped = false
                for index in range {
                    let byte = unsafe bytes[index]
                    guard !isEscaped || byte == UInt8(ascii: "/") else { return nil }
                    isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                    if !isEscaped { text.append(byte) }
                }
                return String(validating: text, as: UTF8.self)
            }
            return unsafe JSONMembers.scan(bytes) { name, value in
                let value: Value =
                    switch value {
                    case .text(let range): text(range).map { .text($0) } ?? .other
                    case .null: .null
                    case .number, .other: .other
                    }
                if let name = text(name), members.updateValue(value, forKey: name) == nil { return }
                isSound = false
            }
        }
        guard complete, isSound else { throw .answerInvalid }
        return members
    }
}
