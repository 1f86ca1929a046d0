internal import Glibc
internal import Synchronization

/// Where finished log lines go; counts what the allow-list dropped.
public final class LogSink: Sendable {
    /// Receives one line without its end.
    public typealias Write = @Sendable (String) -> Void

    private let write: Write
    private let lock = Mutex(())
    private let dropped = Atomic(0)

    public init(write: @escaping Write) {
        self.write = write
    }

    /// One line per call to the standard error descriptor, whole lines only.
    public static func standardError() -> LogSink {
        LogSink { line in
            var rest = ArraySlice((line + "\n").utf8)
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Fields that the allow-list refused since the process started.
    public var droppedFields: Int { dropped.load(ordering: .relaxed) }

    func emit(_ line: String) {
        lock.withLock { _ in write(line) }
    }

    func countDropped(_ count: Int) {
        guard count > 0 else { return }
        dropped.add(count, ordering: .relaxed)
    }
}
