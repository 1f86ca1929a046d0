import Foundation

/// What a host hands to the enclave inside a session so that it can use AWS KMS.
public struct CloudConfiguration: Sendable {
    /// Credentials from the environment; nil means those of the instance's role.
    public struct Credentials: Sendable {
        public let accessKeyID: Secret
        public let secretAccessKey: Secret
        public let sessionToken: Secret?
    }

    public let credentials: Credentials?
    public let metadataEndpoint: ServiceURL
    /// `kms:<version>:<base64>`, the ciphertext of a newer Google client secret.
    public let googleClientSecretCiphertext: String?

    public init(reading reader: inout ConfigurationReader) {
        let id = reader.secret("AWS_ACCESS_KEY_ID")
        let secret = reader.secret("AWS_SECRET_ACCESS_KEY")
        let token = reader.secret("AWS_SESSION_TOKEN")
        if let id, let secret {
            credentials = Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
        } else {
            credentials = nil
            if reader.given("AWS_ACCESS_KEY_ID") == nil, secret != nil || token != nil {
                reader.refuse("AWS_ACCESS_KEY_ID", "is required with the other AWS credentials")
            }
            if reader.given("AWS_SECRET_ACCESS_KEY") == nil, id != nil || token != nil {
                reader.refuse("AWS_SECRET_ACCESS_KEY", "is required with the other AWS credentials")
            }
        }
        metadataEndpoint = reader.requiredURL("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        googleClientSecretCiphertext = reader.parsed(
            "GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT", "must be kms:<version>:<base64>"
        ) { text in
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "kms", let version = parseInteger(String(parts[1])),
                (1...2_147_483_647).contains(version), let bytes = Data(base64Encoded: String(parts[2])),
                (1...6144).contains(bytes.count)
            else { return nil }
            return text
        }
    }
}
