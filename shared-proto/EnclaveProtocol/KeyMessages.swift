/// Request of `kms.credentials`:
/// `[access key id, secret access key, session token / null, expires at / null, client secret / null]`.
public struct KMSCredentials: WireMessage, Equatable {
    /// KMS ciphertext of the Google client secret: `[version, ciphertext]`.
    public struct ClientSecret: WireMessage, Equatable {
        /// Bound into the encryption context; the enclave takes the highest it has opened.
        public let version: UInt32
        /// What KMS made of it, 1–6144 bytes.
        public let ciphertext: [UInt8]

        /// A ciphertext.
        public init(version: UInt32, ciphertext: [UInt8]) {
            self.version = version
            self.ciphertext = ciphertext
        }

        public func write(to writer: inout CBORWriter) { writer.tuple(version, ciphertext) }

        public init(from reader: inout CBORReader) throws(CBORError) {
            try reader.array(exactly: 2)
            version = try reader.keyVersion()
            ciphertext = try reader.bytes(atMost: Limits.maximumKMSCiphertextBytes)
            reader.end()
        }
    }

    /// AWS access key id, 1–128 characters of `[A-Za-z0-9]`.
    public let accessKeyID: String
    /// AWS secret access key, 1–128 visible ASCII characters.
    public let secretAccessKey: [UInt8]
    /// AWS session token, 1–4096 visible ASCII characters; nil with keys that last.
    public let sessionToken: [UInt8]?
    /// When they expire, in seconds since 1970; nil where they do not.
    public let expiresAt: UInt64?
    /// A newer Google client secret, or nil.
    public let clientSecret: ClientSecret?

    /// A set of credentials.
    public init(
        accessKeyID: String, secretAccessKey: [UInt8], sessionToken: [UInt8]? = nil, expiresAt: UInt64? = nil,
        clientSecret: ClientSecret? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiresAt = expiresAt
        self.clientSecret = clientSecret
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(accessKeyID, secretAccessKey, sessionToken, expiresAt, clientSecret)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 5)
        accessKeyID = try reader.text(atMost: Limits.maximumAWSKeyBytes)
        secretAccessKey = try reader.bytes(atMost: Limits.maximumAWSKeyBytes)
        sessionToken = try reader.optionalBytes(atMost: Limits.maximumAWSSessionTokenBytes)
        expiresAt = try reader.optionalUnsigned()
        clientSecret = reader.null() ? nil : try ClientSecret(from: &reader)
        reader.end()
        // They become part of header lines: nothing but visible characters.
        func isVisible(_ bytes: [UInt8]) -> Bool { !bytes.isEmpty && bytes.allSatisfy { (0x21...0x7E).contains($0) } }
        let id = Array(accessKeyID.utf8)
        guard isVisible(id),
            id.allSatisfy({ ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || (0x30...0x39).contains($0) }),
            isVisible(secretAccessKey), sessionToken.map(isVisible) ?? true, clientSecret?.ciphertext.isEmpty != true
        else { throw .outOfRange }
    }
}

/// Answer of `kms.credentials`: `[outcome, client secret version / null]`.
public struct KMSCredentialsAnswer: WireMessage, Equatable {
    /// What became of the set.
    public enum Outcome: UInt64, Sendable {
        /// KMS accepted it: it is in use.
        case accepted = 1
        /// KMS gave no verdict: it is kept beside the set in use, and tried when that one fails.
        case kept = 2
        /// KMS refused it: it is forgotten.
        case refused = 3
    }

    /// What became of the set.
    public let outcome: Outcome
    /// Version of the Google client secret in use; nil where it was not opened by KMS.
    public let clientSecretVersion: UInt32?

    /// An answer.
    public init(_ outcome: Outcome, clientSecretVersion: UInt32?) {
        self.outcome = outcome
        self.clientSecretVersion = clientSecretVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(outcome.rawValue, clientSecretVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        outcome = try reader.choice()
        clientSecretVersion = reader.null() ? nil : try reader.keyVersion()
        reader.end()
    }
}

/// Answer of `keys.status`: `[key id, active version, [decrypt version…], [loaded version…]]`.
public struct KeysStatus: WireMessage, Equatable {
    /// `KMS_KEY_ID`.
    public let keyID: String
    /// The version that seals.
    public let activeVersion: UInt32
    /// Further versions that may be opened, ascending.
    public let decryptVersions: [UInt32]
    /// Versions whose key is in memory, ascending.
    public let loadedVersions: [UInt32]

    /// A status.
    public init(keyID: String, activeVersion: UInt32, decryptVersions: [UInt32], loadedVersions: [UInt32]) {
        self.keyID = keyID
        self.activeVersion = activeVersion
        self.decryptVersions = decryptVersions
        self.loadedVersions = loadedVersions
    }

    public func write(to writer: inout CBORWriter) {
        writer.array(4)
        writer.text(keyID)
        writer.unsigned(UInt64(activeVersion))
        for versions in [decryptVersions, loadedVersions] {
            writer.array(versions.count)
            for version in versions { writer.unsigned(UInt64(version)) }
        }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        func versions(_ reader: inout CBORReader, atMost limit: Int) throws(CBORError) -> [UInt32] {
            var versions: [UInt32] = []
            for _ in 0..<(try reader.array(atMost: limit)) {
                versions.append(try reader.keyVersion())
            }
            reader.end()
            guard zip(versions, versions.dropFirst()).allSatisfy({ $0 < $1 }) else { throw .outOfRange }
            return versions
        }
        try reader.array(exactly: 4)
        keyID = try reader.text(atMost: Limits.maximumKeyIDBytes)
        activeVersion = try reader.keyVersion()
        decryptVersions = try versions(&reader, atMost: Limits.maximumDecryptVersions)
        loadedVersions = try versions(&reader, atMost: Limits.maximumDecryptVersions + 1)
        reader.end()
    }
}

/// Answer of `connector.rewrap` (request: `ConnectorReference`): `[outcome, record version]`.
public struct ConnectorRewrapAnswer: WireMessage, Equatable {
    /// What was done.
    public enum Outcome: UInt64, Sendable {
        /// The record was sealed anew under the active key version and stored.
        case rewrapped = 1
        /// It was under the active key version already.
        case current = 2
    }

    /// What was done.
    public let outcome: Outcome
    /// Version of the record now in the store.
    public let recordVersion: UInt64

    /// An answer.
    public init(_ outcome: Outcome, recordVersion: UInt64) {
        self.outcome = outcome
        self.recordVersion = recordVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(outcome.rawValue, recordVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        outcome = try reader.choice()
        recordVersion = try reader.unsigned()
        reader.end()
    }
}
