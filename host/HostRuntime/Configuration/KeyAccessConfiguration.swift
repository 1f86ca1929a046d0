import Foundation

/// AWS credentials as the environment gives them.
public struct AWSCredentials: Sendable {
    public let accessKeyID: String
    public let secretAccessKey: Secret
    public let sessionToken: Secret?

    public init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret?) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

/// KMS ciphertext of a newer Google client secret: `kms:<version>:<base64>`.
public struct ClientSecretCiphertext: Sendable, Equatable {
    /// Longest ciphertext that KMS decrypts, in bytes.
    static let maximumBytes = 6144

    public let version: UInt32
    public let ciphertext: [UInt8]

    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "kms", let version = parseInteger(String(parts[1])), version >= 1,
            let number = UInt32(exactly: version), number <= 0x7FFF_FFFF,
            let data = Data(base64Encoded: String(parts[2])), (1...Self.maximumBytes).contains(data.count)
        else { return nil }
        self.version = number
        ciphertext = Array(data)
    }
}

/// What a host hands to the enclave for its use of AWS KMS.
public struct KeyAccessConfiguration: Sendable {
    /// Nil: the instance's role.
    public let credentials: AWSCredentials?
    public let metadataEndpoint: ServiceURL
    public let clientSecret: ClientSecretCiphertext?

    public init(reading reader: inout ConfigurationReader) {
        let id = reader.text("AWS_ACCESS_KEY_ID")
        let secret = reader.secret("AWS_SECRET_ACCESS_KEY")
        let token = reader.secret("AWS_SESSION_TOKEN")
        if let id, !isASCIIWord(id, also: "") {
            reader.refuse("AWS_ACCESS_KEY_ID", "must be 1 to 128 ASCII letters and digits")
        }
        if (id == nil) != (secret == nil) {
            let missing = id == nil ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY"
            reader.refuse(missing, "must be set together with the other of the two")
        } else if id == nil, token != nil {
            reader.refuse("AWS_SESSION_TOKEN", "needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        credentials =
            if let id, let secret {
                AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
            } else { nil }
        metadataEndpoint = reader.requiredURL("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        clientSecret = reader.parsed(
            "GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT", "must be kms:<version>:<base64>", ClientSecretCiphertext.init)
    }
}

/// The key in AWS KMS that `alfredctl keys encrypt` uses.
public struct CloudKeyConfiguration: Sendable {
    /// `arn:aws:kms:<region>:<account>:key/<uuid>`
    public let keyARN: String
    public let region: String
    public let endpoint: ServiceURL

    public init(reading reader: inout ConfigurationReader) {
        let arn = reader.requiredText("KMS_KEY_ID")
        let stated = Self.region(of: arn)
        if stated == nil {
            reader.refuse("KMS_KEY_ID", "must be arn:aws:kms:<region>:<account>:key/<uuid>; aliases are refused")
        }
        let region = reader.text("AWS_REGION") ?? stated ?? ""
        if let stated, region != stated { reader.refuse("AWS_REGION", "must equal the region of KMS_KEY_ID") }
        keyARN = arn
        self.region = region
        endpoint =
            reader.url("KMS_ENDPOINT_URL") ?? ServiceURL("https://kms.\(region).amazonaws.com") ?? .standIn
        if !endpoint.isHTTPS { reader.refuse("KMS_ENDPOINT_URL", "must be an https URL") }
    }

    /// The region that a key's full ARN states; nil for anything else.
    public static func region(of arn: String) -> String? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "arn", parts[1] == "aws", parts[2] == "kms",
            !parts[3].isEmpty, isASCIIWord(parts[3], also: "-"), parts[4].utf8.count == 12,
            parts[4].utf8.allSatisfy({ (0x30...0x39).contains($0) }), parts[5].hasPrefix("key/"),
            UUID(uuidString: String(parts[5].dropFirst(4))) != nil
        else { return nil }
        return parts[3]
    }
}
