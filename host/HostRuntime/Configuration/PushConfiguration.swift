import Foundation

/// How notifications leave.
public struct PushConfiguration: Sendable {
    /// The credentials and addresses of direct delivery to APNs.
    public struct Direct: Sendable {
        public let keyID: String
        public let teamID: String
        public let topic: String
        /// A P-256 private key as PEM text.
        public let key: Secret
        /// The variable that the key came in.
        public let keyVariable: String
        public let sandboxURL: ServiceURL
        public let productionURL: ServiceURL
    }

    public let environment: DeploymentEnvironment
    public let sandboxEndpoint: ServiceURL?
    public let productionEndpoint: ServiceURL?
    /// Bearer of endpoint deliveries.
    public let endpointToken: Secret?
    /// Nil unless all four variables of direct mode are set.
    public let direct: Direct?
    /// Timeout of one send.
    public let timeout: Duration
    public let maximumConcurrency: Int

    public init(reading reader: inout ConfigurationReader) {
        environment = reader.environment
        sandboxEndpoint = reader.url("APNS_SANDBOX_ENDPOINT")
        productionEndpoint = reader.url("APNS_PRODUCTION_ENDPOINT")
        endpointToken = reader.secret("APNS_AUTH_TOKEN")
        direct = Self.direct(&reader)
        timeout = reader.milliseconds("APNS_TIMEOUT_MS")
        maximumConcurrency = reader.integer("PUSH_MAX_CONCURRENCY")
    }

    private static func direct(_ reader: inout ConfigurationReader) -> Direct? {
        let key = key(&reader)
        let hasKey = keyNames.contains { reader.given($0) != nil }
        let names = ["APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"]
        let texts = names.map { reader.text($0) }
        let sandbox = reader.requiredURL("APNS_DIRECT_SANDBOX_URL")
        let production = reader.requiredURL("APNS_DIRECT_PRODUCTION_URL")
        let missing = names.filter { reader.given($0) == nil }
        guard hasKey || missing.count < names.count else { return nil }
        for name in missing { reader.refuse(name, "is required with the other variables of direct delivery") }
        if !hasKey {
            reader.refuse("APNS_AUTH_KEY_P8", "or one of its two other forms is required for direct delivery")
        }
        guard let (keyVariable, key) = key, let keyID = texts[0], let teamID = texts[1], let topic = texts[2] else {
            return nil
        }
        return Direct(
            keyID: keyID, teamID: teamID, topic: topic, key: key, keyVariable: keyVariable, sandboxURL: sandbox,
            productionURL: production)
    }

    private static let keyNames = ["APNS_AUTH_KEY_P8", "APNS_AUTH_KEY_P8_BASE64", "APNS_AUTH_KEY_P8_PATH"]

    private static func key(_ reader: inout ConfigurationReader) -> (variable: String, key: Secret)? {
        let given = keyNames.filter { reader.given($0) != nil }
        guard let name = given.first else { return nil }
        for other in given.dropFirst() { reader.refuse(other, "must not be set together with \(name)") }
        guard let text = reader.text(name) else { return nil }
        let pem: String?
        switch name {
        case "APNS_AUTH_KEY_P8":
            pem = text.replacingOccurrences(of: "\\n", with: "\n")
        case "APNS_AUTH_KEY_P8_BASE64":
            pem = Data(base64Encoded: text).flatMap { String(validating: $0, as: UTF8.self) }
        default:
            do throws(SecretFileError) {
                pem = try SecretFile.text(at: reader.absolutePath(text)).withValue { $0 }
            } catch {
                reader.refuse(name, error.rule)
                return nil
            }
        }
        guard let pem, isP256PrivateKey(pem) else {
            reader.refuse(name, "must hold a P-256 private key as PKCS #8 PEM text")
            return nil
        }
        return (name, Secret(pem))
    }

    /// Looks for PKCS #8 with the curve's identifiers; the key itself is read where it signs.
    private static func isP256PrivateKey(_ pem: String) -> Bool {
        guard let der = pemBlock(labelled: "PRIVATE KEY", in: pem), (64...512).contains(der.count) else { return false }
        // SEQUENCE { id-ecPublicKey, prime256v1 }
        let algorithm: [UInt8] = [
            0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
            0x03, 0x01, 0x07,
        ]
        return der.first == 0x30 && der.range(of: Data(algorithm)) != nil
    }
}
