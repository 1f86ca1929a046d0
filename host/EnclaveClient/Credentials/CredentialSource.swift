public import EnclaveProtocol

/// Where the AWS credentials come from with which the enclave asks KMS for its keys.
///
/// They are no secret from this host, and of use only to an enclave that the key's policy admits.
public protocol CredentialSource: Sendable {
    /// A set that is good for some minutes yet, with the Google client secret's ciphertext where there is one.
    func credentials() async throws(CredentialSourceError) -> KMSCredentials
}

/// Why there are no credentials to hand over.
public enum CredentialSourceError: String, Error, Equatable, Sendable {
    /// Neither the environment nor the instance has any.
    case none
    /// The instance metadata does not answer, or not in time.
    case unreachable
    /// It answers with an error.
    case refused
    /// It answers with something else.
    case malformed
    /// What it has is expired.
    case expired
}
