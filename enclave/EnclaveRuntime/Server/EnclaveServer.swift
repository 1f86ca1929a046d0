internal import AttestedSession
internal import EnclaveProtocol
public import EnclaveVault
internal import Sodium

/// Why an enclave does not come up, although its configuration is sound.
public enum EnclaveStartError: Error, Equatable, Sendable {
    /// A value of the configuration turned out unusable; ends with exit 2.
    case configuration(ConfigurationViolation)
    /// The listener's address cannot be bound; ends with exit 1.
    case addressUnusable
}

/// One enclave: listener, dispatcher, vault and egress wired together.
public final class EnclaveServer: Sendable {
    /// Longest wait for calls under way at shutdown, in seconds.
    private static let drainSeconds = 10
    /// Calls to Google wait; this many threads let a few dozen wait at once.
    private static let poolSize = 32

    private let listener: SessionListener
    private let lifecycle = Lifecycle()
    private let evidence: any EvidenceSource
    private let log: Log
    private let keyService: (any KeyService)?
    private let dispatcher: Dispatcher
    private let writer: RecordWriter
    private let cache: AccessTokenCache
    private let pool = WorkerPool(size: poolSize)
    private let requestTimeoutMilliseconds: Int
    private let listenerEnded = Monitor(false)

    /// Builds an enclave and binds its listener; nothing is served before `start`.
    ///
    /// With a key service for `kms` the enclave stays `starting` until that is open.
    public convenience init(
        _ configuration: EnclaveConfiguration, evidence: any EvidenceSource, kms: any KeyManagement,
        keyService: (any KeyService)? = nil, log: Log
    ) throws(EnclaveStartError) {
        guard let egress = Egress(configuration.google, configuration.egress, log: log) else {
            throw .configuration(ConfigurationViolation("EGRESS_CA_FILE", "holds no certificate that can be read"))
        }
        try self.init(
            configuration, evidence: evidence, kms: kms, keyService: keyService, provider: egress, log: log)
    }

    init(
        _ configuration: EnclaveConfiguration, evidence: any EvidenceSource, kms: any KeyManagement,
        keyService: (any KeyService)? = nil, provider: any Provider, log: Log
    ) throws(EnclaveStartError) {
        guard
            let policy = KeyPolicy(
                keyID: configuration.keyID, activeVersion: configuration.keyVersion,
                decryptVersions: configuration.decryptVersions)
        else { throw .configuration(ConfigurationViolation("KMS_KEY_ID", "no usable key policy")) }
        let vault = TokenVault(policy: policy, kms: kms)
        let operations = Operations(
            vault: vault, configuration: configuration, provider: provider, keyService: keyService,
            pause: { Threads.sleep(milliseconds: $0) })
        self.keyService = keyService
        self.evidence = evidence
        self.log = log
        writer = operations.writer
        cache = operations.cache
        requestTimeoutMilliseconds = configuration.google.requestTimeoutMilliseconds

        let key = X25519.PrivateKey()
        let plain = PlainService(
            configuration, evidence: evidence, lifecycle: lifecycle, sessionKey: key.publicKey)
        let sessions = CallbackSessions()
        dispatcher = Dispatcher(
            operations, lifecycle: lifecycle, sessions: sessions, pool: pool,
            maximumInFlight: configuration.maximumInFlight, log: log)
        do throws(SessionError) {
            listener = try SessionListener(
                bind: configuration.bind, staticKey: key, plain: plain, calls: dispatcher,
                limits: ListenerLimits(
                    maximumSessions: configuration.maximumSessions, sessionSeconds: configuration.maximumAgeSeconds))
        } catch {
            throw .addressUnusable
        }
        sessions.use { [weak listener, lifecycle] in
            listener?.sessions.filter { !lifecycle.isEarly(session: $0.id) } ?? []
        }
    }

    /// TCP port that is listened on.
    public var boundPort: UInt16 { listener.boundPort }

    /// Serves from now on, on threads of its own.
    public func start() {
        if let keyService {
            keyService.begin { [weak self] in self?.open() }
        } else {
            open()
        }
        Threads.start { [self] in
            listener.run()
            listenerEnded.withLock(wake: true) { $0 = true }
        }
    }

    private func open() {
        evidence.open()
        log.write(.info, .open)
        lifecycle.open(lastSession: listener.sessions.map(\.id).max() ?? 0)
    }

    /// Takes no new work, lets what is under way finish, stores what Google answered, and wipes the tokens.
    public func drain() {
        lifecycle.drain()
        let now = MonotonicInstant.now
        let workEnds = now.advanced(byMilliseconds: requestTimeoutMilliseconds + 5000)
        writer.giveUp(at: workEnds)
        _ = dispatcher.waitForCalls(until: now.advanced(bySeconds: Self.drainSeconds))
        _ = dispatcher.waitForWork(until: workEnds)
        pool.stop()
        // Answers that are on their way still leave.
        listener.stop(drainSeconds: 2)
        _ = listenerEnded.wait(until: MonotonicInstant.now.advanced(bySeconds: 5)) { $0 ? true : nil }
        cache.dropAll()
    }
}
