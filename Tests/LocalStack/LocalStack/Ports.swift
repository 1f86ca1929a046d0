import Glibc

/// TCP ports of 127.0.0.1 that nobody listens on at this moment.
public enum Ports {
    /// A port of 20000–32000 that can be bound now and that no other system of this machine was given: below the range
    /// that the kernel hands to outgoing connections, which could take it before it is used.
    ///
    /// It stays reserved until this process ends, by a lock on a file that `scripts/infra` heeds too.
    public static func free() -> Int {
        while true {
            let port = Int.random(in: 20_000...32_000)
            guard reserve(port) else { continue }
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = loopback(port)
            let isBound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            if isBound { return port }
        }
    }

    /// Folder of the lock files of all who start servers here.
    private static let locks: String = {
        let folder = "/tmp/alfred-ports-\(getuid())"
        mkdir(folder, 0o700)
        return folder
    }()

    /// Whether this process has `port` to itself from now on; the descriptor is kept on purpose.
    private static func reserve(_ port: Int) -> Bool {
        let descriptor = open("\(locks)/\(port)", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // Without a folder to lock in, a port is only less certain.
        guard descriptor >= 0 else { return true }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        close(descriptor)
        return false
    }

    /// Whether something accepts connections on `port`.
    public static func isListening(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        return address
    }
}
