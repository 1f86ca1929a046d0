public import EnclaveProtocol
public import HostRuntime
public import HostStorage
public import ServiceLifecycle

internal import AttestationVerifier

/// This process's way to the enclave: attested sessions, renewed before their end, with calls and callbacks on them.
///
/// `run()` keeps the sessions; calls made before it runs wait for it, within their deadlines.
public final class EnclaveClient: Service {
    let configuration: EnclaveClientConfiguration
    let records: any RecordStore
    let references = OpenReferences()
    let pool: SessionPool
    let sessions: EnclaveConnector
    let relays: EnclaveConnector
    let relayPlaces = RelayPlaces()
    let report: ClientReport
    /// Nil where the enclave needs none: outside mode `remote`.
    let credentials: (any CredentialSource)?

    /// A client; nothing is connected yet.
    public init(
        configuration: EnclaveClientConfiguration, hostKey: HostKey, records: any RecordStore,
        credentials: (any CredentialSource)? = nil, metrics: MetricsRegistry, log: HostLog
    ) {
        let report = ClientReport(metrics: metrics, log: log, role: configuration.role)
        let verifier = Verifier(policy: configuration.policy)
        self.configuration = configuration
        self.records = records
        self.report = report
        self.credentials = configuration.mode == .remote ? credentials : nil
        pool = SessionPool { report.sessionCount($0) }
        sessions = EnclaveConnector(
            name: "enclave-connect", configuration: configuration, hostKey: hostKey, verifier: verifier)
        relays = EnclaveConnector(
            name: "enclave-relay", configuration: configuration, hostKey: hostKey, verifier: verifier)
    }

    /// A client as the environment describes it, with the key file read and the record port over `repository`.
    public convenience init(
        _ enclave: EnclaveConnectionConfiguration, _ attestation: AttestationConfiguration, role: Role,
        repository: SealedRecordRepository, credentials: (any CredentialSource)? = nil, metrics: MetricsRegistry,
        log: HostLog
    ) throws(SecretFileError) {
        let key = try enclave.clientKeyPath.map(HostKey.init(readingFile:)) ?? HostKey.unused()
        self.init(
            configuration: EnclaveClientConfiguration(enclave, attestation, role: role), hostKey: key,
            records: RecordPort(repository), credentials: credentials, metrics: metrics, log: log)
    }

    /// Identity of the enclave that was verified last; `unattested` before that, `unenforced` by policy.
    public var attestedMeasurement: String { pool.identity ?? "unattested" }

    /// Sessions that take calls now.
    public var openSessions: Int { pool.sessionCount }

    /// Whether calls can be made: a session is open, or mode `disabled` answers them all.
    public var isAvailable: Bool { configuration.mode == .disabled || pool.sessionCount > 0 }

    /// Keeps the sessions until the task is cancelled or the process shuts down gracefully; to be called once.
    public func run() async throws {
        guard configuration.mode != .disabled else {
            report.disabled()
            try? await gracefulShutdown()
            return
        }
        pool.open()
        await cancelWhenGracefulShutdown { await self.keepSessions() }
        pool.close()
    }

    private func keepSessions() async {
        let callbacks = CallbackServer(records: records, references: references)
        let keeper = SessionKeeper(
            pool: pool, connector: sessions, callbacks: callbacks, handOver: handOver(answering: callbacks),
            timeout: configuration.challengeTimeout, report: report)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await callbacks.run() }
            group.addTask { await self.watchQueue() }
            if let credentials = self.credentials {
                let renewal = CredentialRenewal(
                    client: self, source: credentials, interval: configuration.credentialInterval)
                group.addTask { await renewal.run() }
            }
            for _ in 0..<max(1, configuration.sessions) { group.addTask { await keeper.run() } }
        }
    }

    /// Nil where no credentials are handed over.
    func handOver(answering callbacks: CallbackServer) -> CredentialHandOver? {
        credentials.map {
            CredentialHandOver(
                source: $0, connector: sessions, callbacks: callbacks, limit: configuration.probeTimeout,
                report: report)
        }
    }

    /// Ends the wait of queued calls at their deadlines, to within 20 ms.
    private func watchQueue() async {
        for await _ in pool.queueSignals {
            while !Task.isCancelled, pool.expireQueued() { try? await Task.sleep(for: .milliseconds(20)) }
        }
    }
}
