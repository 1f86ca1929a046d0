public import Sodium

/// Why a provider gave no answer.
public enum ProviderFault: Error, Equatable, Sendable {
    /// No connection, no valid certificate, no answer in time, or no room for another request.
    case unavailable
    /// The answer is larger than its cap.
    case tooLarge
    /// The host is not one of the configured ones.
    case hostRefused
}

/// An answer of a token or revocation endpoint; its body lies in locked memory.
public struct SecretReply: ~Copyable, Sendable {
    /// HTTP status.
    public let status: Int
    /// `Retry-After` in seconds.
    public let retryAfterSeconds: UInt32?
    /// Body.
    public let body: SecretBuffer

    /// An answer.
    public init(status: Int, retryAfterSeconds: UInt32?, body: consuming SecretBuffer) {
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.body = body
    }
}

/// An answer of a Google API.
public struct PublicReply: Sendable {
    /// HTTP status.
    public let status: Int
    /// `Retry-After` in seconds.
    public let retryAfterSeconds: UInt32?
    /// Body.
    public let body: [UInt8]

    /// An answer.
    public init(status: Int, retryAfterSeconds: UInt32?, body: [UInt8]) {
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.body = body
    }
}

/// What the operations need of the outside world; `Egress` is the real one.
public protocol Provider: Sendable {
    /// Posts a form and waits at most `milliseconds` for the answer; never repeats the request by itself.
    func post(_ url: ProviderURL, form: borrowing SecretBuffer, milliseconds: Int) throws(ProviderFault) -> SecretReply

    /// Reads `target`, a path with query below `base`, with a bearer token.
    func get(
        _ base: ProviderURL, target: String, bearer: borrowing SecretBytes, milliseconds: Int
    ) throws(ProviderFault) -> PublicReply
}
