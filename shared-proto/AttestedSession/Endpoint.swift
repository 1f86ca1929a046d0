/// Where an enclave listens: one notation and one interface for all kinds of sockets.
public enum Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// TCP; `host` is a name or an address, IPv6 without brackets.
    case tcp(host: String, port: UInt16)
    /// A Unix domain socket in the file system.
    case unix(path: String)
    /// A virtual machine socket; when bound, `cid` is any (`VMADDR_CID_ANY`).
    case vsock(cid: UInt32, port: UInt32)

    /// `VMADDR_CID_ANY`
    static let anyCID = UInt32.max
    /// Room for a path in `sockaddr_un`, without the final zero.
    static let maximumPathBytes = 107

    /// Reads `ENCLAVE_RUNTIME_BASE_URL`: `tcp://host:port`, `http://host:port`, `vsock://cid:port`, `unix:///path`.
    public init?(clientURL text: String) {
        if let rest = Endpoint.rest(of: text, after: "unix://") {
            self.init(path: rest)
        } else if let rest = Endpoint.rest(of: text, after: "vsock://") {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let cid = UInt32(digits: parts[0]), let port = UInt32(digits: parts[1]) else {
                return nil
            }
            self = .vsock(cid: cid, port: port)
        } else if let rest = Endpoint.rest(of: text, after: "tcp://") ?? Endpoint.rest(of: text, after: "http://") {
            self.init(hostAndPort: rest.hasSuffix("/") ? rest.dropLast() : rest)
        } else {
            return nil
        }
    }

    /// Reads `ENCLAVE_RUNTIME_BIND_ADDR`: `address:port`, `tcp://address:port`, `vsock://port`, `unix:///path`.
    public init?(bindAddress text: String) {
        if let rest = Endpoint.rest(of: text, after: "unix://") {
            self.init(path: rest)
        } else if let rest = Endpoint.rest(of: text, after: "vsock://") {
            guard let port = UInt32(digits: rest) else { return nil }
            self = .vsock(cid: Endpoint.anyCID, port: port)
        } else {
            self.init(hostAndPort: Endpoint.rest(of: text, after: "tcp://") ?? text[...])
        }
    }

    public var description: String {
        switch self {
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): "unix://\(path)"
        case .vsock(Endpoint.anyCID, let port): "vsock://\(port)"
        case .vsock(let cid, let port): "vsock://\(cid):\(port)"
        }
    }

    private init?(path: Substring) {
        guard path.hasPrefix("/"), path.utf8.count > 1, path.utf8.count <= Endpoint.maximumPathBytes,
            !path.utf8.contains(0)
        else { return nil }
        self = .unix(path: String(path))
    }

    private init?(hostAndPort text: Substring) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(digits: text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), host.utf8.allSatisfy(Endpoint.isIPv6Byte) else { return nil }
        } else {
            guard host.utf8.allSatisfy(Endpoint.isHostByte) else { return nil }
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
        self = .tcp(host: String(host), port: port)
    }

    private static func rest(of text: String, after prefix: String) -> Substring? {
        text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isIPv6Byte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension FixedWidthInteger {
    /// Decimal digits only: no sign, no blank, not empty.
    fileprivate init?(digits text: Substring) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        self.init(text)
    }
}
