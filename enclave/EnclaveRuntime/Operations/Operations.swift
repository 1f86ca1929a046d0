internal import EnclaveProtocol
internal import EnclaveVault

/// What the operations share; each operation has a file of its own.
struct Operations: Sendable {
    let vault: TokenVault
    let google: GoogleConfiguration
    let endpoint: TokenEndpoint
    let provider: any Provider
    let cache: AccessTokenCache
    let broker: TokenBroker
    let writer: RecordWriter
    let googleLimiter: UserLimiter
    let opensLimiter: UserLimiter
    let counters: Counters
    let keyService: (any KeyService)?

    init(
        vault: TokenVault, configuration: EnclaveConfiguration, provider: any Provider,
        keyService: (any KeyService)? = nil, pause: @escaping @Sendable (_ milliseconds: Int) -> Void
    ) {
        let endpoint = TokenEndpoint(google: configuration.google, provider: provider)
        let cache = AccessTokenCache()
        let counters = Counters()
        let writer = RecordWriter(vault: vault, pause: pause)
        self.vault = vault
        self.google = configuration.google
        self.endpoint = endpoint
        self.provider = provider
        self.cache = cache
        self.writer = writer
        self.counters = counters
        self.keyService = keyService
        broker = TokenBroker(
            cache: cache,
            refresher: TokenRefresher(
                vault: vault, endpoint: endpoint, cache: cache, writer: writer, counters: counters, pause: pause))
        googleLimiter = UserLimiter(limit: configuration.googlePerMinute)
        opensLimiter = UserLimiter(limit: configuration.opensPerMinute)
    }

    /// Runs one operation on an encoded request.
    func run(_ method: Method, _ body: [UInt8], _ context: CallContext) throws(EnclaveFailure) -> OperationResult {
        do throws(EnclaveFailure) {
            return switch method {
            case .googleConnectBegin: .answer(try connectBegin(try decode(body), context))
            case .googleConnectComplete: .answer(try connectComplete(try decode(body), context))
            case .googleRefresh: try refresh(try decode(body), context)
            case .googleGet: try get(try decode(body), context)
            case .googleRevoke: .answer(try revoke(try decode(body), context))
            case .dataSeal: .answer(try seal(try decode(body), context))
            case .dataOpen: .answer(try open(try decode(body), context))
            case .vaultForget: .answer(forget(try decode(body)))
            case .metrics: .answer(try metrics(try decode(body)))
            case .kmsCredentials: .answer(try keyServiceOffer(try decode(body), context))
            case .dataRewrap: .answer(rewrapItems(try decode(body), context))
            case .connectorRewrap: .answer(try rewrapConnector(try decode(body), context))
            case .keysStatus: .answer(keysStatus(try decode(body)))
            case .recordGet, .recordPut, .wrappedKeyGet, .wrappedKeyPut: throw EnclaveFailure(.unknownMethod)
            }
        } catch {
            switch error.code {
            case .sealedDataRejected, .recordRolledBack, .keyPolicyMismatch: counters.sealedRejected(error.code.name)
            default: break
            }
            throw error
        }
    }

    /// `kms.credentials`; local key management wants none.
    private func keyServiceOffer(
        _ credentials: KMSCredentials, _ context: CallContext
    ) throws(EnclaveFailure) -> KMSCredentialsAnswer {
        guard let keyService else { throw EnclaveFailure(.unknownMethod) }
        return try keyService.offer(credentials, session: context.session)
    }

    private func decode<Message: WireMessage>(_ body: [UInt8]) throws(EnclaveFailure) -> Message {
        do throws(CBORError) {
            return try Message(decoding: body)
        } catch {
            throw EnclaveFailure(.malformedRequest)
        }
    }

    /// Runs a call of the vault and gives its error the wire's name; a record that is gone takes its token along.
    func vaultCall<R: ~Copyable>(
        of reference: ConnectorReference? = nil, _ body: () throws(VaultError) -> R
    ) throws(EnclaveFailure) -> R {
        do throws(VaultError) {
            return try body()
        } catch {
            if let reference, error == .recordMissing || error == .recordRevoked { cache.drop(reference) }
            throw EnclaveFailure(error.code)
        }
    }
}
