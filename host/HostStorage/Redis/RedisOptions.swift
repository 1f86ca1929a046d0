/// Where Redis is and how long a command may take; checked by the program's configuration before it comes here.
public struct RedisOptions: Sendable {
    /// `redis://`, `rediss://` or `unix://`, with password and database number; a secret.
    public var url: String
    /// Of connecting and of one command.
    public var timeout: Duration
    /// PEM file of roots for `rediss://`; `nil` means the system's.
    public var trustRootsFile: String?

    public init(url: String, timeout: Duration = .milliseconds(500), trustRootsFile: String? = nil) {
        self.url = url
        self.timeout = timeout
        self.trustRootsFile = trustRootsFile
    }
}

/// Why a Redis command failed.
public enum RedisError: Error, Equatable, Sendable {
    /// Not connected, connection lost, or too many commands waiting.
    case unavailable
    case timeout
    /// The URL cannot be read.
    case badURL
    /// Redis refused the command; the first word of its error, like `WRONGTYPE`.
    case refused(String)
    /// The answer had another type than the command promises.
    case unexpectedAnswer
}
