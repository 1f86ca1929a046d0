public import EnclaveClient
public import EnclaveProtocol
public import Foundation
public import HostRuntime

/// This host's AWS credentials: those of the environment, else the instance role's, renewed before they expire.
public actor HostCredentials: CredentialSource {
    /// How long before its end a set is replaced.
    static let renewalMargin: TimeInterval = 300

    private let configuration: KeyAccessConfiguration
    private let now: @Sendable () -> Date
    private var current: KMSCredentials?

    /// Credentials as `configuration` says.
    public init(_ configuration: KeyAccessConfiguration, now: @escaping @Sendable () -> Date = { Date() }) {
        self.configuration = configuration
        self.now = now
    }

    public func credentials() async throws(CredentialSourceError) -> KMSCredentials {
        if let given = configuration.credentials { return try valid(set(given)) }
        if let current, secondsLeft(current) > Self.renewalMargin { return current }
        do throws(CredentialSourceError) {
            let role = try await InstanceMetadata(endpoint: configuration.metadataEndpoint).credentials()
            let set = try valid(set(role))
            guard secondsLeft(set) > 0 else { throw .expired }
            current = set
            return set
        } catch {
            // What there is serves until its end.
            if let current, secondsLeft(current) > 0 { return current }
            throw error
        }
    }

    private func secondsLeft(_ set: KMSCredentials) -> TimeInterval {
        set.expiresAt.map { Double($0) - now().timeIntervalSince1970 } ?? .infinity
    }

    private func set(_ given: AWSCredentials) -> KMSCredentials {
        KMSCredentials(
            accessKeyID: given.accessKeyID, secretAccessKey: given.secretAccessKey.withValue { Array($0.utf8) },
            sessionToken: given.sessionToken?.withValue { Array($0.utf8) }, clientSecret: clientSecret)
    }

    private func set(_ role: InstanceMetadata.Credentials) -> KMSCredentials {
        KMSCredentials(
            accessKeyID: role.accessKeyID, secretAccessKey: Array(role.secretAccessKey.utf8),
            sessionToken: Array(role.sessionToken.utf8),
            expiresAt: UInt64(max(0, role.expiration.timeIntervalSince1970)), clientSecret: clientSecret)
    }

    private var clientSecret: KMSCredentials.ClientSecret? {
        configuration.clientSecret.map { KMSCredentials.ClientSecret(version: $0.version, ciphertext: $0.ciphertext) }
    }

    /// The set, if it can be written on the wire.
    private func valid(_ set: KMSCredentials) throws(CredentialSourceError) -> KMSCredentials {
        guard (try? KMSCredentials(decoding: set.encoded())) == set else { throw .malformed }
        return set
    }
}
