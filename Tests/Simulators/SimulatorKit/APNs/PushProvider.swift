import Crypto

/// Which of the two services a device's token belongs to; the simulated ones differ by the name they are called by.
public enum SimulatedAPNs: String, Codable, Sendable, Hashable {
    /// `https://127.0.0.1:<port>`
    case sandbox
    /// `https://localhost:<port>`
    case production

    init(authority: String) {
        self = authority.hasPrefix("127.") ? .sandbox : .production
    }
}

/// What APNs knows of the one who sends; what is nil is not checked.
public struct PushProvider: Codable, Sendable, Hashable {
    /// The P-256 public key, PEM, that verifies provider tokens; nil: only their shape is checked.
    public var key: String?
    public var keyID: String?
    public var teamID: String?
    /// The only topic the key may send to.
    public var topic: String?
    /// The only environment the key is good for.
    public var environment: SimulatedAPNs?

    public init(
        key: String? = nil, keyID: String? = nil, teamID: String? = nil, topic: String? = nil,
        environment: SimulatedAPNs? = nil
    ) {
        self.key = key
        self.keyID = keyID
        self.teamID = teamID
        self.topic = topic
        self.environment = environment
    }
}

/// A provider with a key of its own: what APNs knows of it, and what it signs with.
public struct PushSender: Sendable {
    public let provider: PushProvider
    /// PKCS #8, PEM.
    public let privateKey: String

    /// A sender with a new key, for `topic`.
    public init(topic: String) {
        let key = P256.Signing.PrivateKey()
        privateKey = key.pemRepresentation
        provider = PushProvider(
            key: key.publicKey.pemRepresentation, keyID: "LOCALKEY01", teamID: "LOCALTEAM1", topic: topic)
    }
}
