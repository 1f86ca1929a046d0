internal import CLinux
internal import Glibc

/// A `sockaddr` of any family.
struct SocketAddress {
    let family: Int32
    private let bytes: [UInt8]

    fileprivate init(family: Int32, bytes: [UInt8]) {
        self.family = family
        self.bytes = bytes
    }

    /// Lends the address as C wants it.
    func use<R>(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> R) -> R {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe body(bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }
}

extension Sockets {
    /// The addresses of an endpoint, in the order to try them; empty when it cannot be used.
    static func addresses(of endpoint: Endpoint, passive: Bool) -> [SocketAddress] {
        switch endpoint {
        case .tcp(let host, let port): resolve(host, port, passive: passive)
        case .unix(let path): [unixAddress(path)]
        case .vsock(let cid, let port): [vsockAddress(cid: cid, port: port)]
        }
    }

    private static func unixAddress(_ path: String) -> SocketAddress {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            unsafe field.copyBytes(from: path.utf8.prefix(Endpoint.maximumPathBytes))
        }
        return unsafe SocketAddress(family: AF_UNIX, bytes: withUnsafeBytes(of: address) { unsafe Array($0) })
    }

    private static func vsockAddress(cid: UInt32, port: UInt32) -> SocketAddress {
        var address = sockaddr_vm()
        address.svm_family = sa_family_t(AF_VSOCK)
        address.svm_cid = cid
        address.svm_port = port
        return unsafe SocketAddress(family: AF_VSOCK, bytes: withUnsafeBytes(of: address) { unsafe Array($0) })
    }

    private static func resolve(_ host: String, _ port: UInt16, passive: Bool) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next, found.count < 8 {
            let bytes = unsafe UnsafeRawBufferPointer(
                start: entry.pointee.ai_addr, count: Int(entry.pointee.ai_addrlen))
            unsafe found.append(SocketAddress(family: entry.pointee.ai_family, bytes: Array(bytes)))
            unsafe next = entry.pointee.ai_next
        }
        return found
    }
}
