internal import CLinux
internal import Glibc

/// Sockets of every kind behind one interface; nothing else in the project opens one for an enclave.
enum Sockets {
    /// A peer of a TCP connection that acknowledges nothing for so long is gone.
    private static let keepAliveIdleSeconds: Int32 = 15
    private static let keepAliveIntervalSeconds: Int32 = 5
    private static let keepAliveProbes: Int32 = 3
    private static let backlog: Int32 = 1024

    /// Connects before `deadline`; a name is resolved first, which the system's resolver bounds, not the deadline.
    static func connect(to endpoint: Endpoint, deadline: MonotonicInstant) throws(SessionError) -> Int32 {
        var failure = SessionError.addressUnusable
        for address in addresses(of: endpoint, passive: false) {
            let descriptor = try open(address)
            switch connect(descriptor, address, deadline) {
            case nil:
                configure(descriptor, endpoint)
                return descriptor
            case .some(let error): failure = error
            }
            close(descriptor)
        }
        throw failure
    }

    /// Begins to connect to the first address of `endpoint`.
    static func startConnecting(to endpoint: Endpoint) throws(SessionError) -> Int32 {
        guard let address = addresses(of: endpoint, passive: false).first else { throw .addressUnusable }
        let descriptor = try open(address)
        guard unsafe address.use({ unsafe Glibc.connect(descriptor, $0, $1) }) == 0 || errno == EINPROGRESS else {
            close(descriptor)
            throw .unreachable
        }
        configure(descriptor, endpoint)
        return descriptor
    }

    /// Binds and listens; a stale Unix socket is replaced, one that somebody listens on is not.
    static func listen(on endpoint: Endpoint) throws(SessionError) -> Int32 {
        guard let address = addresses(of: endpoint, passive: true).first else { throw .addressUnusable }
        if case .unix(let path) = endpoint { removeStaleSocket(path, endpoint) }
        let descriptor = try open(address)
        if case .tcp = endpoint { setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) }
        guard unsafe address.use({ unsafe bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, backlog) == 0
        else {
            close(descriptor)
            throw .addressUnusable
        }
        if case .unix(let path) = endpoint { unsafe chmod(path, 0o660) }
        return descriptor
    }

    /// The port that the system chose for a bound TCP socket; 0 for other kinds.
    static func boundPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            guard let base = bytes.baseAddress,
                unsafe getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return 0 }
            let family = unsafe Int32(bytes.loadUnaligned(as: sa_family_t.self))
            guard family == AF_INET || family == AF_INET6 else { return 0 }
            // The port has the same place in both forms of address.
            return unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    /// Options of every connection, accepted ones too.
    static func configure(_ descriptor: Int32, _ endpoint: Endpoint) {
        guard case .tcp = endpoint else { return }
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, keepAliveIdleSeconds)
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, keepAliveIntervalSeconds)
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, keepAliveProbes)
    }

    private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func open(_ address: SocketAddress) throws(SessionError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        guard descriptor >= 0 else { throw errno == EMFILE || errno == ENFILE ? .outOfResources : .addressUnusable }
        return descriptor
    }

    private static func connect(
        _ descriptor: Int32, _ address: SocketAddress, _ deadline: MonotonicInstant
    ) -> SessionError? {
        if unsafe address.use({ unsafe Glibc.connect(descriptor, $0, $1) }) == 0 { return nil }
        guard errno == EINPROGRESS else { return .unreachable }
        guard Descriptor.wait(descriptor, for: POLLOUT, until: deadline) else { return .timedOut }
        var status: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &status, &length) == 0, status == 0 else {
            return .unreachable
        }
        return nil
    }

    private static func removeStaleSocket(_ path: String, _ endpoint: Endpoint) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let deadline = MonotonicInstant.now.advanced(byMilliseconds: 200)
        if let descriptor = try? connect(to: endpoint, deadline: deadline) {
            close(descriptor)
        } else {
            unsafe unlink(path)
        }
    }
}
