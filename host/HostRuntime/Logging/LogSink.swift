internal import Glibc
internal import Synchronization

/// Where finished log lines go; counts what the allow-list dropped.
public final class LogSink: Sendable {
    /// Receives one line without its end.
    public typealias Write = @Sendable (String) -> Void

    private let write: @Sendable ([UInt8]) -> Void
    private let lock = Mutex(())
    private let dropped = Atomic(0)

    public convenience init(write: @escaping Write) {
        self.init(bytes: { line in write(String(decoding: line, as: UTF8.self)) })
    }

    /// A sink that takes lines as bytes.
    init(bytes write: @escaping @Sendable ([UInt8]) -> Void) {
        self.write = write
    }

    /// One line per call to the standard error descriptor, whole lines only.
    public static func standardError() -> LogSink {
        LogSink(bytes: { line in
            var rest = (line + [UInt8(ascii: "\n")])[...]
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        })
    }

    /// Fields that the allow-list refused since the process started.
    public var droppedFields: Int { dropped.load(ordering: .relaxed) }

    func emit(_ line: [UInt8]) {
        lock.withLock { _ in write(line) }
    }

    func countDropped(_ count: Int) {
        guard count > 0 else { return }
        dropped.add(count, ordering: .relaxed)
    }
}
