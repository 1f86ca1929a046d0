internal import CLinux
internal import Glibc

/// What one non-blocking read or write did.
enum Transfer: Equatable {
    case bytes(Int)
    case wouldBlock
    /// End of stream, or an error of the connection.
    case ended
}

/// Calls on descriptors that neither block nor raise a signal.
enum Descriptor {
    static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        while true {
            let count = unsafe Glibc.send(
                descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN || errno == ENOBUFS ? .wouldBlock : .ended
        }
    }

    static func receive(_ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let count = unsafe recv(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wouldBlock : .ended
        }
    }

    /// Waits until something is ready or `milliseconds` have passed (negative: without end); an early return is allowed.
    static func wait(_ items: inout [pollfd], milliseconds: Int) {
        _ = unsafe poll(&items, nfds_t(items.count), Int32(clamping: milliseconds))
    }

    /// Waits for `events` on one descriptor; false when the deadline passed.
    static func wait(_ descriptor: Int32, for events: Int32, until deadline: MonotonicInstant) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let remaining = deadline.remainingMilliseconds
            guard remaining > 0 else { return false }
            if unsafe poll(&item, 1, Int32(clamping: remaining)) > 0 { return true }
        }
    }

    static func makeEvent() throws(SessionError) -> Int32 {
        let event = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard event >= 0 else { throw .outOfResources }
        return event
    }

    /// Wakes whoever polls this event descriptor.
    static func signal(_ event: Int32) {
        var one: UInt64 = 1
        _ = unsafe write(event, &one, 8)
    }

    static func drain(_ event: Int32) {
        var count: UInt64 = 0
        _ = unsafe read(event, &count, 8)
    }
}

/// Threads with small stacks.
enum Thread {
    static let stackBytes = 512 * 1024

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a thread of its own, which nobody joins.
    static func start(_ body: @escaping @Sendable () -> Void) throws(SessionError) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, stackBytes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let context = unsafe Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let status = unsafe pthread_create(&thread, &attributes, threadMain, context.toOpaque())
        guard status == 0 else {
            unsafe context.release()
            throw .outOfResources
        }
    }

    private static let threadMain: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        guard let context = unsafe context else { return nil }
        unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
        return nil
    }
}
