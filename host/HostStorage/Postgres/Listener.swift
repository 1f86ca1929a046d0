internal import CLinux
internal import CPostgres
import Glibc
import Synchronization

/// Channels that wake somebody; a notification carries no data.
public enum NotificationChannel: String, Sendable, CaseIterable {
    case jobs = "alfred_jobs"
    case outbox = "alfred_outbox"
    case users = "alfred_users"
    case privacy = "alfred_privacy"
}

/// LISTENs on a connection and a thread of its own; reconnects with back-off for as long as it lives.
///
/// After each (re)connect every channel is reported once, because notifications may have been missed. With LISTEN
/// switched off the streams stay silent, and polling does the work.
public final class Listener: Sendable {
    private struct State {
        var subscribers: [Int: AsyncStream<NotificationChannel>.Continuation] = [:]
        var next = 0
        var isStopped = false
        var isListening = false
    }

    private let channels: [NotificationChannel]
    private let url: String?
    private let connectTimeout: Duration
    private let state: Shared

    /// What the thread shares with the owner, so that the owner's end can end the thread.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let wakeUp: Int32

        init() {
            wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
            precondition(wakeUp >= 0, "no file descriptor left for the listener")
        }

        deinit { close(wakeUp) }

        var isStopped: Bool { state.withLock { $0.isStopped } }

        func report(_ channel: NotificationChannel) {
            for subscriber in state.withLock({ Array($0.subscribers.values) }) { subscriber.yield(channel) }
        }

        func stop() {
            let subscribers = state.withLock { state in
                state.isStopped = true
                defer { state.subscribers = [:] }
                return Array(state.subscribers.values)
            }
            for subscriber in subscribers { subscriber.finish() }
            eventfd_write(wakeUp, 1)
        }
    }

    public init(_ configuration: PostgresConfiguration, channels: [NotificationChannel]) {
        self.channels = channels
        url = configuration.listenURL
        connectTimeout = configuration.connectTimeout
        state = Shared()
        guard let url else { return }
        let (shared, timeout) = (state, connectTimeout)
        let started = HelperThread.start { Self.run(url, timeout, channels, shared) }
        precondition(started, "no thread left for the listener")
    }

    deinit { state.stop() }

    /// Whether the connection stands and listens now.
    public var isListening: Bool { state.state.withLock { $0.isListening } }

    /// Ends the streams and the connection.
    public func shutdown() { state.stop() }

    /// A stream of the channels notified from now on. A slow reader keeps the latest 64.
    public func notifications() -> AsyncStream<NotificationChannel> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: NotificationChannel.self, bufferingPolicy: .bufferingNewest(64))
        let shared = state
        let number: Int? = shared.state.withLock { state in
            guard !state.isStopped else { return nil }
            state.next += 1
            state.subscribers[state.next] = continuation
            return state.next
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { _ in shared.state.withLock { _ = $0.subscribers.removeValue(forKey: number) } }
        return stream
    }

    // MARK: - The thread

    private static func run(_ url: String, _ timeout: Duration, _ channels: [NotificationChannel], _ shared: Shared) {
        var pause = StorageLimits.firstBackOff
        while !shared.isStopped {
            if let handle = try? connect(url, timeout, channels) {
                pause = StorageLimits.firstBackOff
                shared.state.withLock { $0.isListening = true }
                channels.forEach(shared.report)
                listen(handle, shared)
                shared.state.withLock { $0.isListening = false }
            }
            var descriptor = pollfd(fd: shared.wakeUp, events: Int16(POLLIN), revents: 0)
            unsafe poll(&descriptor, 1, Int32(pause.wholeMilliseconds))
            pause = min(pause * 2, StorageLimits.longestBackOff)
        }
    }

    private static func connect(
        _ url: String, _ timeout: Duration, _ channels: [NotificationChannel]
    ) throws(StorageError) -> PostgresHandle {
        let handle = try PostgresHandle.connect(url, timeout: timeout)
        for channel in channels { try handle.execute("listen \(channel.rawValue)") }
        return handle
    }

    /// Returns when the connection is lost or the listener is stopped.
    private static func listen(_ handle: PostgresHandle, _ shared: Shared) {
        while !shared.isStopped {
            while let notification = unsafe PQnotifies(handle.pointer) {
                let name = unsafe String(cString: notification.pointee.relname)
                unsafe PQfreemem(notification)
                if let channel = NotificationChannel(rawValue: name) { shared.report(channel) }
            }
            var descriptors = [
                pollfd(fd: handle.socket, events: Int16(POLLIN), revents: 0),
                pollfd(fd: shared.wakeUp, events: Int16(POLLIN), revents: 0),
            ]
            let ready = unsafe poll(&descriptors, 2, 30_000)
            // A quiet connection may be a dead one: ask now and then.
            if ready == 0, (try? handle.execute("select 1")) == nil { return }
            if descriptors[0].revents != 0, unsafe PQconsumeInput(handle.pointer) != 1 { return }
        }
    }
}
