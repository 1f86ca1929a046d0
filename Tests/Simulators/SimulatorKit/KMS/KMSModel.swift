public import Foundation

/// A set of AWS credentials that the simulated account knows.
public struct AWSCredentialSet: Codable, Sendable, Hashable {
    public var accessKeyID: String
    public var secretAccessKey: String
    /// Absent with keys that last.
    public var sessionToken: String?
    /// Whose they are: `arn:aws:iam::<account>:role/<name>` or `…:user/<name>`.
    public var principal: String
    /// Nil: they do not expire.
    public var expires: Date?

    public init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, principal: String,
        expires: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.principal = principal
        self.expires = expires
    }

    /// New credentials in the forms that AWS gives them.
    public static func random(
        principal: String, expires: Date? = nil, withSessionToken: Bool = true
    ) -> AWSCredentialSet {
        let id = Base64URL.random(bytes: 24).uppercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        let token = withSessionToken ? Base64URL.random(bytes: 240) + "==" : nil
        return AWSCredentialSet(
            accessKeyID: (withSessionToken ? "ASIA" : "AKIA") + id.prefix(16),
            secretAccessKey: Base64URL.random(bytes: 30).replacingOccurrences(of: "_", with: "/"),
            sessionToken: token, principal: principal, expires: expires)
    }

    var account: String { accountOfARN(principal) }
}

/// One key of the simulated KMS.
public struct KMSKeyDescription: Codable, Sendable, Hashable {
    public enum State: String, Codable, Sendable {
        case enabled = "Enabled"
        case disabled = "Disabled"
        case pendingDeletion = "PendingDeletion"
    }

    public var arn: String
    /// `alias/<name>`, if it has one.
    public var alias: String?
    public var state: State
    /// The key policy, as JSON. Without statements nobody may do anything.
    public var policy: JSONValue

    public init(arn: String, alias: String? = nil, state: State = .enabled, policy: JSONValue) {
        self.arn = arn
        self.alias = alias
        self.state = state
        self.policy = policy
    }

    /// `policy` as its owner wrote it, not parsed.
    ///
    /// - Throws: where it is no JSON.
    public init(arn: String, alias: String? = nil, state: State = .enabled, policyText: String) throws {
        guard let policy = JSONValue(parsing: Array(policyText.utf8)) else { throw CocoaError(.fileReadCorruptFile) }
        self.init(arn: arn, alias: alias, state: state, policy: policy)
    }
}

/// What the simulated KMS does wrong, on purpose, until it is told to behave.
public enum KMSMisbehaviour: String, Codable, Sendable, Hashable, CaseIterable {
    /// The answer names another key.
    case wrongKeyID
    /// The answer names no key.
    case noKeyID
    /// The plaintext stands beside the envelope.
    case plaintextBesideEnvelope
    /// The plaintext stands in place of the envelope.
    case plaintextInsteadOfEnvelope
    /// Neither plaintext nor envelope.
    case noEnvelope
    /// The envelope is for another RSA key.
    case envelopeForAnotherKey
    case twoRecipients
    case recipientByIssuer
    case oaepSHA1
    case aes128
    case shortKey
    case longKey
    case flippedContent
    case truncatedEnvelope
    case trailingBytes
    case otherContentType
    case brokenJSON
    case hugeAnswer
}

/// How the envelope's content is written; the real service does both.
public enum KMSEnvelopeShape: String, Codable, Sendable, Hashable, CaseIterable {
    /// `a0 80 04 …`: pieces of an octet string.
    case constructed
    /// `80 …`: the bytes themselves.
    case primitive
}

/// What the control API sets of KMS's behaviour.
public struct KMSBehaviour: Codable, Sendable, Hashable {
    public var misbehaviour: KMSMisbehaviour?
    /// Nil: both by turns.
    public var shape: KMSEnvelopeShape?

    public init(misbehaviour: KMSMisbehaviour? = nil, shape: KMSEnvelopeShape? = nil) {
        self.misbehaviour = misbehaviour
        self.shape = shape
    }
}

/// What the simulated account is made of.
public struct KMSSettings: Sendable {
    public static let account = "111122223333"
    public static let region = "eu-central-1"
    /// The key that exists from the start; its policy lets nobody in until it is set.
    public static let keyARN =
        "arn:aws:kms:\(region):\(account):key/1234abcd-12ab-34cd-56ef-1234567890ab"
    /// The role of the instance that carries the enclave.
    public static let parentRole = "arn:aws:iam::\(account):role/alfred-parent"
    /// The role of the person who runs `alfredctl`.
    public static let operatorRole = "arn:aws:iam::\(account):role/alfred-operator"
    /// The role that manages the key.
    public static let administratorRole = "arn:aws:iam::\(account):role/alfred-key-admin"

    /// Policy of the first key; nil: nobody may do anything.
    public var policy: JSONValue?
    /// DER of the root that signs documents of secure modules; nil: no document is accepted.
    public var nitroRoot: [UInt8]?

    public init(policy: JSONValue? = nil, nitroRoot: [UInt8]? = nil) {
        self.policy = policy
        self.nitroRoot = nitroRoot
    }
}

/// The account of `arn:aws:<service>:<region>:<account>:…`; empty where there is none.
func accountOfARN(_ arn: String) -> String {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    return parts.count > 4 ? String(parts[4]) : ""
}
