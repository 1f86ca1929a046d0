import Crypto
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
import Synchronization

/// One multiplexed connection to Redis for the whole process.
///
/// Commands fail at once while Redis is away; the connection comes back by itself.
public final class RedisConnection: Sendable {
    private enum Phase {
        case connecting
        case connected(RedisOutbox)
        case away
        case stopped
    }

    private struct State {
        var phase = Phase.away
        var failures = 0
        /// First word of what the server refused the greeting with, like `WRONGPASS`, until it takes one.
        var refusal: String?
        var waiters: [CheckedContinuation<RedisOutbox?, Never>] = []
    }

    private let configuration: RedisOptions
    private let url: RedisURL
    private let tls: NIOSSLContext?
    private let loop: any EventLoop
    private let state = Mutex(State())

    /// - Throws: `.badURL`; `.unavailable` when the roots cannot be read.
    public init(_ configuration: RedisOptions) throws(RedisError) {
        guard let url = RedisURL(configuration.url) else { throw .badURL }
        self.configuration = configuration
        self.url = url
        loop = MultiThreadedEventLoopGroup.singleton.next()
        tls = url.usesTLS ? try Self.context(configuration) : nil
        connect()
    }

    private static func context(_ configuration: RedisOptions) throws(RedisError) -> NIOSSLContext {
        var client = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.trustRootsFile { client.trustRoots = .file(file) }
        guard let context = try? NIOSSLContext(configuration: client) else { throw .unavailable }
        return context
    }

    deinit { shutdown() }

    /// Closes the connection; every command fails from now on.
    public func shutdown() {
        let (channel, waiters) = state.withLock {
            state -> ((any Channel)?, [CheckedContinuation<RedisOutbox?, Never>]) in
            defer {
                state.phase = .stopped
                state.waiters = []
            }
            if case .connected(let outbox) = state.phase { return (outbox.channel, state.waiters) }
            return (nil, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: nil) }
        channel?.close(promise: nil)
    }

    public var isConnected: Bool {
        state.withLock { if case .connected = $0.phase { true } else { false } }
    }

    // MARK: - Commands

    /// Sends one command and waits for its answer, at most the configured time.
    public func command(_ arguments: [RedisArgument]) async throws(RedisError) -> RedisReply {
        guard let bytes = RedisEncoder.encode(arguments.map(\.bytes)) else { throw .unavailable }
        guard let outbox = await outbox() else {
            throw state.withLock { $0.refusal.map(RedisError.refused) ?? .unavailable }
        }
        return try await send(bytes, by: outbox).get()
    }

    /// Runs a script by its hash, and in full when Redis does not know it yet.
    public func eval(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument]
    ) async throws(RedisError) -> RedisReply {
        let rest = [RedisArgument(keys.count)] + keys.map { RedisArgument($0) } + arguments
        do {
            return try await command(["EVALSHA", RedisArgument(script.hash)] + rest)
        } catch {
            guard error == .refused("NOSCRIPT") else { throw error }
        }
        return try await command(["EVAL", RedisArgument(script.text)] + rest)
    }

    private func send(_ bytes: [UInt8], by outbox: RedisOutbox) async -> Result<RedisReply, RedisError> {
        let deadline = NIODeadline.now() + timeout
        return await withCheckedContinuation { outbox.send(RedisRequest(bytes, deadline: deadline, $0)) }
    }

    private var timeout: TimeAmount { .nanoseconds(Int64(configuration.timeout.wholeNanoseconds)) }

    /// Of the open connection. The first connect is waited for, a failed Redis is not.
    private func outbox() async -> RedisOutbox? {
        if let open = state.withLock({ if case .connected(let outbox) = $0.phase { outbox } else { nil } }) {
            return open
        }
        return await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> RedisOutbox?? in
                switch state.phase {
                case .connected(let outbox): return .some(outbox)
                case .connecting where state.failures == 0 && state.waiters.count < RedisHandler.maximumWaiting:
                    state.waiters.append(continuation)
                    return nil
                case .connecting, .away, .stopped: return .some(nil)
                }
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    // MARK: - Connecting

    private func connect() {
        let mayConnect = state.withLock { state in
            guard case .away = state.phase else { return false }
            state.phase = .connecting
            return true
        }
        guard mayConnect else { return }
        let (tls, url, timeout) = (tls, url, timeout)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLClientHandler(context: tls, serverHostname: url.serverName))
                    }
                    guard let decoder = RedisDecoder() else { throw RedisError.unavailable }
                    try channel.pipeline.syncOperations.addHandler(RedisHandler(decoder))
                }
            }
        let connecting =
            switch url.endpoint {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        connecting.whenComplete { [weak self] result in
            guard let self, let channel = try? result.get() else {
                self?.failed()
                if case .success(let channel) = result { channel.close(promise: nil) }
                return
            }
            channel.closeFuture.whenComplete { [weak self] _ in self?.lost(channel) }
            greet(channel)
        }
    }

    /// Signs in and selects the database, then the connection counts as open.
    private func greet(_ channel: any Channel) {
        var greeting: [[RedisArgument]] = []
        if let password = url.password {
            greeting.append(["AUTH"] + (url.user.map { [RedisArgument($0)] } ?? []) + [RedisArgument(password)])
        }
        if url.database != 0 { greeting.append(["SELECT", RedisArgument(url.database)]) }
        greeting.append(["PING"])
        let commands = greeting.compactMap { RedisEncoder.encode($0.map(\.bytes)) }
        let outbox = RedisOutbox(channel)
        Task { [weak self] in
            for command in commands {
                let answer = await self?.send(command, by: outbox)
                if case .failure(.refused(let word)) = answer { self?.state.withLock { $0.refusal = word } }
                guard case .success = answer else { return channel.close(promise: nil) }
            }
            if let self { opened(outbox) } else { channel.close(promise: nil) }
        }
    }

    private func opened(_ outbox: RedisOutbox) {
        let waiters = state.withLock { state -> [CheckedContinuation<RedisOutbox?, Never>]? in
            guard case .connecting = state.phase, outbox.channel.isActive else { return nil }
            state.phase = .connected(outbox)
            state.failures = 0
            state.refusal = nil
            defer { state.waiters = [] }
            return state.waiters
        }
        guard let waiters else { return outbox.channel.close(promise: nil) }
        for waiter in waiters { waiter.resume(returning: outbox) }
    }

    private func lost(_ channel: any Channel) {
        let wasOpen = state.withLock { state in
            guard case .connected(let current) = state.phase else { return false }
            return current.channel === channel
        }
        guard wasOpen else { return failed() }
        state.withLock { $0.phase = .away }
        connect()
    }

    private func failed() {
        let (waiters, pause) = state.withLock { state -> ([CheckedContinuation<RedisOutbox?, Never>], Duration?) in
            guard case .connecting = state.phase else { return ([], nil) }
            state.phase = .away
            let pause = min(StorageLimits.firstBackOff * (1 << min(state.failures, 8)), StorageLimits.longestBackOff)
            state.failures += 1
            defer { state.waiters = [] }
            return (state.waiters, pause)
        }
        for waiter in waiters { waiter.resume(returning: nil) }
        guard let pause else { return }
        let nanoseconds = Int64.random(in: Int64(pause.wholeNanoseconds / 2)...Int64(pause.wholeNanoseconds))
        _ = loop.scheduleTask(in: .nanoseconds(nanoseconds)) { [weak self] in self?.connect() }
    }
}

extension RedisURL {
    /// The name TLS verifies; addresses cannot be sent as one.
    fileprivate var serverName: String? {
        guard case .tcp(let host, _) = endpoint, (try? SocketAddress(ipAddress: host, port: 0)) == nil else {
            return nil
        }
        return host
    }
}
