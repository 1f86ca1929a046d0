/// A provider that is simulated.
public enum Provider: String, Codable, Sendable, Hashable, CaseIterable {
    case google, clerk, apns, kms, openrouter
    /// Instance metadata of EC2.
    case metadata
}

/// A call to a provider, named so that calls can be counted and made to fail one by one.
public enum ProviderCall: String, Codable, Sendable, Hashable, CaseIterable {
    case authorize = "google.authorize"
    case exchange = "google.exchange"
    case refresh = "google.refresh"
    /// A token request with another grant type or none.
    case otherTokenRequest = "google.token"
    case revoke = "google.revoke"
    case calendarEvents = "google.calendar.events"
    case gmailMessages = "google.gmail.messages"
    case gmailMessage = "google.gmail.message"
    case keySet = "clerk.jwks"
    case devicePush = "apns.device"
    case endpointPush = "apns.endpoint"
    case chatCompletion = "openrouter.chat_completions"
    case kmsGenerateDataKey = "kms.generate_data_key"
    case kmsGenerateDataKeyWithoutPlaintext = "kms.generate_data_key_without_plaintext"
    case kmsDecrypt = "kms.decrypt"
    case kmsEncrypt = "kms.encrypt"
    case kmsReEncrypt = "kms.re_encrypt"
    case kmsDescribeKey = "kms.describe_key"
    case kmsGetKeyPolicy = "kms.get_key_policy"
    case kmsPutKeyPolicy = "kms.put_key_policy"
    case kmsCreateGrant = "kms.create_grant"
    /// An operation that is not simulated.
    case otherKMSCall = "kms.other"
    case metadataToken = "metadata.token"
    case metadataRole = "metadata.role"
    case metadataCredentials = "metadata.credentials"

    /// The provider that is called.
    public var provider: Provider {
        switch self {
        case .keySet: .clerk
        case .chatCompletion: .openrouter
        case .devicePush, .endpointPush: .apns
        case .metadataToken, .metadataRole, .metadataCredentials: .metadata
        case _ where rawValue.hasPrefix("kms."): .kms
        default: .google
        }
    }
}

/// How often a call arrived, and with which statuses it was answered.
public struct CallCount: Codable, Sendable, Hashable {
    public var call: ProviderCall
    /// Requests that arrived, answered or not.
    public var arrived: Int
    /// Answers by status; an answer that a reset swallowed is counted too.
    public var statuses: [Int: Int]
    /// Most requests that were being answered at one time.
    public var mostAtOnce = 0
}
