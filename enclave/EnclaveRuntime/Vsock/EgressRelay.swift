internal import AttestedSession
internal import CLinux
internal import Glibc
internal import Sodium

/// Carries connections of this process to an endpoint that libcurl cannot reach by itself, such as vsock.
///
/// libcurl connects to an abstract Unix socket; for each connection there the relay makes one to the endpoint and moves
/// bytes, which are TLS from end to end. One thread for all of them; only this process may connect.
final class EgressRelay: Sendable {
    /// Connections at a time; one more is closed at once.
    static let maximumConnections = 128
    /// Longest time without a byte, in seconds: longer than libcurl keeps an idle connection.
    static let idleSeconds = 150
    /// The same while connecting, and once one side has ended.
    static let endingSeconds = 10

    /// Name of the abstract socket, without the zero byte in front.
    let name: String
    private let stop: Int32

    /// Listens at once.
    init(to endpoint: Endpoint) throws(SessionError) {
        name = "alfred-egress-" + Base64.encodeURL(Random.bytes(16))
        let event = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard event >= 0 else { throw .outOfResources }
        stop = event
        let listening = Self.listen(name)
        guard listening >= 0 else { throw .outOfResources }
        // The loop's descriptors are closed by its thread, `stop` too.
        guard Threads.start({ RelayLoop(listening: listening, stop: event, endpoint).run() }) else {
            close(listening)
            throw .outOfResources
        }
    }

    deinit {
        var one: UInt64 = 1
        _ = unsafe Glibc.write(stop, &one, 8)
    }

    private static func listen(_ name: String) -> Int32 {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return -1 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
            unsafe UnsafeMutableRawBufferPointer(rebasing: path.dropFirst()).copyBytes(from: name.utf8)
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
        }
        guard status == 0, Glibc.listen(descriptor, 64) == 0 else {
            close(descriptor)
            return -1
        }
        return descriptor
    }
}

/// What the relay's thread does until it is stopped.
private final class RelayLoop {
    private let listening: Int32
    private let stop: Int32
    private let endpoint: Endpoint
    private var pairs: [RelayedConnection] = []

    init(listening: Int32, stop: Int32, _ endpoint: Endpoint) {
        self.listening = listening
        self.stop = stop
        self.endpoint = endpoint
    }

    deinit {
        close(listening)
        close(stop)
    }

    func run() {
        while true {
            var items = [stop, listening].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            for pair in pairs { items += [pair.nearItem, pair.farItem] }
            let wakesAt = pairs.map(\.deadline).min()
            let wait = wakesAt.map { Int32(clamping: $0.remainingMilliseconds) } ?? -1
            _ = unsafe poll(&items, nfds_t(items.count), wait)
            if items[0].revents != 0 { return }
            let now = MonotonicInstant.now
            for (index, pair) in pairs.enumerated()
            where items[2 + 2 * index].revents != 0
                || items[3 + 2 * index].revents != 0
            {
                pair.move(farIsReady: items[3 + 2 * index].revents != 0)
            }
            pairs.removeAll { $0.isOver || $0.deadline <= now }
            if items[1].revents != 0 { accept() }
        }
    }

    private func accept() {
        while true {
            let near = alfred_accept(listening)
            guard near >= 0 else { return }
            guard alfred_peer_is_self(near) == 1, pairs.count < EgressRelay.maximumConnections,
                let far = try? ByteStream(startingTo: endpoint)
            else {
                close(near)
                continue
            }
            pairs.append(RelayedConnection(near: near, far: far))
        }
    }
}

/// One connection of libcurl and the one made for it.
private final class RelayedConnection {
    /// Bytes on their way in one direction; nothing more is read while some are left.
    private struct Flow {
        var pending: ArraySlice<UInt8> = []
        var hasEnded = false
        var isDone: Bool { hasEnded && pending.isEmpty }
    }

    private static let chunkBytes = 16 * 1024

    private let near: Int32
    private let far: ByteStream
    private var isConnected = false
    private var up = Flow()
    private var down = Flow()
    private(set) var isOver = false
    private(set) var deadline = MonotonicInstant.now.advanced(bySeconds: EgressRelay.endingSeconds)

    init(near: Int32, far: ByteStream) {
        self.near = near
        self.far = far
    }

    deinit { close(near) }

    var nearItem: pollfd { Self.item(near, reads: isConnected ? up : nil, writes: down) }
    var farItem: pollfd {
        isConnected
            ? Self.item(far.descriptor, reads: down, writes: up)
            : pollfd(fd: far.descriptor, events: Int16(POLLOUT), revents: 0)
    }

    /// Nothing to wait for makes the descriptor negative: poll would go on reporting that the other end is gone.
    private static func item(_ descriptor: Int32, reads: Flow?, writes: Flow) -> pollfd {
        var events: Int32 = 0
        if let reads, reads.pending.isEmpty, !reads.hasEnded { events |= POLLIN }
        if !writes.pending.isEmpty { events |= POLLOUT }
        return pollfd(fd: events == 0 ? -1 : descriptor, events: Int16(events), revents: 0)
    }

    func move(farIsReady: Bool) {
        if !isConnected {
            guard farIsReady else { return }
            isConnected = true
        }
        isOver =
            !Self.move(from: near, to: far.descriptor, &up) || !Self.move(from: far.descriptor, to: near, &down)
            || (up.isDone && down.isDone)
        let isEnding = up.hasEnded || down.hasEnded
        deadline = MonotonicInstant.now.advanced(
            bySeconds: isEnding ? EgressRelay.endingSeconds : EgressRelay.idleSeconds)
    }

    /// Moves what can be moved without waiting; false when the receiving end is gone.
    private static func move(from source: Int32, to target: Int32, _ flow: inout Flow) -> Bool {
        while true {
            while !flow.pending.isEmpty {
                let sent = unsafe flow.pending.withUnsafeBytes {
                    unsafe send(target, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                }
                if sent < 0 { return errno == EAGAIN || errno == EINTR }
                flow.pending = flow.pending.dropFirst(sent)
            }
            if flow.hasEnded { return true }
            flow.pending = unsafe ArraySlice(
                Array(unsafeUninitializedCapacity: chunkBytes) { buffer, count in
                    let got = unsafe recv(source, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                    if got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) { flow.hasEnded = true }
                    count = max(0, got)
                })
            if flow.hasEnded { shutdown(target, Int32(SHUT_WR)) }
            if flow.pending.isEmpty { return true }
        }
    }
}
