internal import AttestedSession
public import EnclaveProtocol
public import EnclaveVault
public import Sodium
internal import Synchronization

/// AWS KMS as the key service of a remote enclave: credentials come from hosts, and the configuration's secrets are
/// opened with the first set that KMS accepts.
public final class AWSKeyService: KeyService {
    private struct State {
        var opened: (@Sendable () -> Void)?
        /// One thread at a time opens secrets: whoever offers cannot hold the others' threads.
        var isOpening = false
    }

    /// Longest client secret, in bytes.
    private static let maximumClientSecretBytes = 255

    public var providerName: String { kms.providerName }
    private let kms: AWSKeyManagement
    private let keyVersion: UInt32
    private let secrets: [ConfiguredSecret]
    private let clientSecret: ConfiguredSecret
    private let state = Mutex(State())

    /// A service for the key of `configuration`; nil when that is no AWS key, or the file of roots holds no certificate.
    public convenience init?(_ configuration: EnclaveConfiguration, module: any SecureModule, log: Log) {
        guard let key = AWSKeyID(configuration.keyID),
            let url = ProviderURL(configuration.kmsEndpoint ?? key.standardEndpoint),
            let egress = Egress(hosts: [url.origin], configuration.egress, log: log)
        else { return nil }
        self.init(
            configuration,
            kms: AWSKeyManagement(
                key: key, module: module, transport: KMSEndpoint(url: url, region: key.region, egress: egress),
                log: log, pause: { Threads.sleep(milliseconds: $0) }))
    }

    init(_ configuration: EnclaveConfiguration, kms: AWSKeyManagement) {
        self.kms = kms
        keyVersion = configuration.keyVersion
        clientSecret = configuration.google.clientSecret
        secrets = [configuration.signingSeed, clientSecret].compactMap { $0 }
    }

    public func generateDataKey(keyID: String, version: UInt32) throws(VaultError) -> GeneratedDataKey {
        try kms.generateDataKey(keyID: keyID, version: version)
    }

    public func unwrap(_ wrapped: [UInt8], keyID: String, version: UInt32) throws(VaultError) -> SecretBytes {
        try kms.unwrap(wrapped, keyID: keyID, version: version)
    }

    public func begin(opened: @escaping @Sendable () -> Void) { state.withLock { $0.opened = opened } }

    public func offer(_ message: KMSCredentials, session: UInt64) throws(EnclaveFailure) -> KMSCredentialsAnswer {
        let offered = AWSCredentials(message)
        let outcome = try take(offered, session: session)
        try openSecrets(newer: message.clientSecret)
        return KMSCredentialsAnswer(outcome, clientSecretVersion: clientSecret.version > 0 ? clientSecret.version : nil)
    }

    /// Puts a set to KMS, unless it is the accepted one.
    private func take(
        _ offered: AWSCredentials, session: UInt64
    ) throws(EnclaveFailure) -> KMSCredentialsAnswer.Outcome {
        switch kms.sets.withLock({ $0.receive(offered, session: session) }) {
        case .isAccepted: return .accepted
        // Every process of a deployment brings the same set: one of them waits for KMS.
        case .isBeingTried: return .kept
        case .noRoom: throw EnclaveFailure(.overloaded)
        case .toBeTried: break
        }
        do throws(KMSFault) {
            try kms.probe(offered, version: keyVersion)
            kms.sets.withLock { $0.accept(offered) }
            return .accepted
        } catch .unavailable {
            kms.sets.withLock { $0.keep(offered) }
            return .kept
        } catch {
            kms.sets.withLock { $0.forget(offered) }
            return .refused
        }
    }

    /// Adopts a newer client secret and opens what is still closed; with the last one the enclave leaves `starting`.
    private func openSecrets(newer: KMSCredentials.ClientSecret?) throws(EnclaveFailure) {
        // Never below the measured version, whether that one is open yet or not.
        let floor = max(clientSecret.version, clientSecret.ciphertext?.version ?? 0)
        let newer = newer.flatMap { $0.version > floor ? $0 : nil }
        guard kms.sets.withLock({ $0.accepted != nil }) else { return }
        let isMine = state.withLock { state in
            guard !state.isOpening, state.opened != nil || newer != nil else { return false }
            state.isOpening = true
            return true
        }
        guard isMine else {
            if newer != nil { throw EnclaveFailure(.overloaded) }
            return
        }
        if let newer { open(clientSecret, .init(version: newer.version, bytes: newer.ciphertext)) }
        for secret in secrets where secret.current == nil {
            if let ciphertext = secret.ciphertext { open(secret, ciphertext) }
        }
        let isReady = secrets.allSatisfy { $0.current != nil }
        let opened = state.withLock { state in
            state.isOpening = false
            return isReady ? state.opened.take() : nil
        }
        opened?()
    }

    private func open(_ secret: ConfiguredSecret, _ ciphertext: ConfiguredSecret.Ciphertext) {
        guard let opened = try? kms.open(ciphertext.bytes, name: secret.name, version: ciphertext.version),
            secret !== clientSecret || opened.count <= Self.maximumClientSecretBytes
        else { return }
        _ = secret.adopt(Secret(opened), version: ciphertext.version)
    }
}
