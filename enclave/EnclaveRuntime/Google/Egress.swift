internal import AttestedSession
internal import CCurl
internal import EnclaveProtocol
public import Sodium
internal import Synchronization

/// The only way out of the enclave: libcurl, HTTPS to the configured hosts, certificates always verified.
///
/// No redirects, no proxy, no cookies, no netrc, no compression; sizes are counted while reading.
@safe public final class Egress: Provider {
    /// Largest body of a token endpoint.
    static let maximumTokenBodyBytes = 32 * 1024

    private let hosts: Set<String>
    private let routes: [String]
    /// For `host:port` whose route libcurl cannot take itself.
    private let relays: [String: EgressRelay]
    private let roots: TrustedRoots
    private let log: Log
    private let idle = Mutex<[CurlHandle]>([])

    /// Egress to the hosts of `google`; nil when the file of roots holds no certificate.
    public convenience init?(_ google: GoogleConfiguration, _ configuration: EgressConfiguration, log: Log) {
        let urls = [google.tokenURL, google.revokeURL, google.calendarURL, google.gmailURL]
        self.init(hosts: Set(urls.map(\.origin)), configuration, log: log)
    }

    /// Egress to `hosts`, each `host:port`.
    init?(hosts: Set<String>, _ configuration: EgressConfiguration, log: Log) {
        guard let roots = TrustedRoots(file: configuration.rootsFile) else { return nil }
        self.roots = roots
        self.log = log
        self.hosts = hosts
        var routes: [String] = []
        var relays: [String: EgressRelay] = [:]
        for (origin, target) in configuration.routes where hosts.contains(origin) {
            if case .tcp(let host, let port) = target {
                routes.append("\(origin):\(host.contains(":") ? "[\(host)]" : host):\(port)")
            } else {
                guard let relay = try? EgressRelay(to: target) else { return nil }
                relays[origin] = relay
            }
        }
        self.routes = routes
        self.relays = relays
    }

    public func post(
        _ url: ProviderURL, form: borrowing SecretBuffer, milliseconds: Int
    ) throws(ProviderFault) -> SecretReply {
        let body = SecretBody(SecretBuffer(capacity: Self.maximumTokenBodyBytes))
        let outcome = try unsafe form.withUnsafeBytes { (form: UnsafeRawBufferPointer) throws(ProviderFault) in
            try unsafe perform(url, target: url.text, milliseconds) { handle in
                // A request that may not be repeated gets a connection that cannot be stale.
                handle.set(CURLOPT_FRESH_CONNECT, 1)
                handle.set(CURLOPT_FORBID_REUSE, 1)
                unsafe handle.setForm(form)
            } receive: { bytes in
                unsafe body.buffer.append(bytes)
                return !body.buffer.overflowed
            }
        }
        return SecretReply(status: outcome.status, retryAfterSeconds: outcome.retryAfterSeconds, body: body.take())
    }

    public func get(
        _ base: ProviderURL, target: String, bearer: borrowing SecretBytes, milliseconds: Int
    ) throws(ProviderFault) -> PublicReply {
        var header = SecretBuffer(capacity: bearer.count + 32)
        header.append("Authorization: Bearer ")
        unsafe bearer.withUnsafeBytes { unsafe header.append($0) }
        header.append(UInt8(0))
        var body: [UInt8] = []
        let outcome = try unsafe header.withUnsafeBytes { (header: UnsafeRawBufferPointer) throws(ProviderFault) in
            try unsafe perform(base, target: base.text + target, milliseconds) { handle in
                unsafe handle.addHeader(header)
            } receive: { bytes in
                guard body.count + bytes.count <= Limits.maximumProviderBodyBytes else { return false }
                unsafe body.append(contentsOf: bytes)
                return true
            }
        }
        return PublicReply(status: outcome.status, retryAfterSeconds: outcome.retryAfterSeconds, body: body)
    }

    func perform(
        _ url: ProviderURL, target: String, _ milliseconds: Int, prepare: (CurlHandle) -> Void,
        receive: @escaping (UnsafeRawBufferPointer) -> Bool
    ) throws(ProviderFault) -> CurlHandle.Outcome {
        guard url.scheme == "https", hosts.contains(url.origin) else { throw .hostRefused }
        guard milliseconds > 0, let handle = idle.withLock({ $0.popLast() }) ?? CurlHandle() else {
            throw .unavailable
        }
        let start = MonotonicInstant.now
        handle.reset(target, milliseconds: milliseconds, roots: roots, routes: routes, relay: relays[url.origin]?.name)
        prepare(handle)
        let result = unsafe handle.perform(receive)
        handle.clear()
        idle.withLock { $0.append(handle) }
        let took = MonotonicInstant.now.milliseconds(after: start)
        switch result {
        case .success(let outcome):
            log.write(.info, .provider(host: url.host, status: outcome.status, milliseconds: took))
            return outcome
        case .failure(let fault):
            log.write(.warn, .provider(host: url.host, status: 0, milliseconds: took))
            throw fault
        }
    }
}

/// A buffer that a closure of libcurl's fills.
private final class SecretBody {
    var buffer: SecretBuffer

    init(_ buffer: consuming SecretBuffer) { self.buffer = buffer }

    /// Gives the buffer away, once.
    func take() -> SecretBuffer {
        var taken = SecretBuffer(capacity: 0)
        swap(&taken, &buffer)
        return taken
    }
}
