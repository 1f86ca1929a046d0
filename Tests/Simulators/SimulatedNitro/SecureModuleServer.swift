internal import Foundation
internal import Glibc
internal import Synchronization

/// Puts a simulated secure module on a Unix socket.
///
/// Each request and each answer is a frame: four bytes of length, big-endian, then that many bytes of CBOR.
/// A connection carries any number of requests, one after the other.
public final class SecureModuleServer: Sendable {
    /// Connections served at a time; more wait.
    private static let backlog: Int32 = 64

    public let path: String
    private let module: SimulatedSecureModule
    private let listening: Int32
    private let open = Mutex<Set<Int32>>([])
    private let isClosed = Atomic<Bool>(false)

    /// Listens at `path`, a new socket file, and serves until ``close()``.
    public init(_ module: SimulatedSecureModule, path: String) throws {
        self.module = module
        self.path = path
        unsafe unlink(path)
        listening = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard listening >= 0 else { throw POSIXError(.EMFILE) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard path.utf8.count < field.count else { return false }
            unsafe field.copyBytes(from: path.utf8)
            return true
        }
        let isBound =
            unsafe fits
            && withUnsafeBytes(of: &address) { bytes in
                guard let base = bytes.baseAddress else { return false }
                let size = socklen_t(bytes.count)
                return unsafe bind(listening, base.assumingMemoryBound(to: sockaddr.self), size) == 0
            }
        guard isBound, listen(listening, Self.backlog) == 0 else {
            Glibc.close(listening)
            throw POSIXError(fits ? .EADDRINUSE : .ENAMETOOLONG)
        }
        Thread.detachNewThread { self.accept() }
    }

    /// Ends every connection and removes the socket file.
    public func close() {
        guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
        shutdown(listening, Int32(SHUT_RDWR))
        unsafe unlink(path)
        open.withLock { for connection in $0 { shutdown(connection, Int32(SHUT_RDWR)) } }
    }

    private func accept() {
        while true {
            let connection = Glibc.accept(listening, nil, nil)
            if connection < 0, errno == EINTR || errno == ECONNABORTED { continue }
            guard connection >= 0 else { break }
            open.withLock { _ = $0.insert(connection) }
            if isClosed.load(ordering: .sequentiallyConsistent) { shutdown(connection, Int32(SHUT_RDWR)) }
            Thread.detachNewThread { self.serve(connection) }
        }
        Glibc.close(listening)
    }

    private func serve(_ connection: Int32) {
        defer {
            open.withLock { _ = $0.remove(connection) }
            Glibc.close(connection)
        }
        while let head = Self.read(connection, 4) {
            let count = head.reduce(0) { $0 << 8 | Int($1) }
            // The device refuses a longer request (EMSGSIZE).
            guard count <= SimulatedSecureModule.maximumRequestBytes, let request = Self.read(connection, count) else {
                return
            }
            switch module.answer(request) {
            case .bytes(let answer):
                let head = (0..<4).reversed().map { UInt8(truncatingIfNeeded: answer.count >> (8 * $0)) }
                guard Self.write(connection, head + answer) else { return }
            case .silence: continue
            case .hangUp: return
            }
        }
    }

    private static func read(_ connection: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = unsafe bytes.withUnsafeMutableBytes { memory in
                unsafe recv(connection, memory.baseAddress.map { unsafe $0 + filled }, count - filled, 0)
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return nil }
            filled += got
        }
        return bytes
    }

    private static func write(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { memory in
                unsafe send(
                    connection, memory.baseAddress.map { unsafe $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
