/// Where the enclave listens.
public enum EnclaveEndpoint: Hashable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case vsock(cid: UInt32, port: UInt32)
    case unix(path: String)

    /// Reads `tcp://host:port`, its alias `http://host:port`, `vsock://cid:port` or `unix:///path`.
    public init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let rest = String(text[separator.upperBound...])
        switch text[..<separator.lowerBound].lowercased() {
        case "tcp", "http":
            let authority = rest.hasSuffix("/") ? String(rest.dropLast()) : rest
            guard let (host, port) = splitHostPort(authority, ports: 1...65535),
                host.contains(":") ? IPAddress(host) != nil : isASCIIWord(host, also: ".-_")
            else { return nil }
            self = .tcp(host: host, port: UInt16(port))
        case "vsock":
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let cid = UInt32(parts[0]), let port = UInt32(parts[1]), port != .max,
                parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
            else { return nil }
            self = .vsock(cid: cid, port: port)
        case "unix":
            // 108 bytes is what a Linux socket address holds, the final zero included.
            guard rest.hasPrefix("/"), rest.utf8.count > 1, rest.utf8.count <= 107, !rest.utf8.contains(0) else {
                return nil
            }
            self = .unix(path: rest)
        default:
            return nil
        }
    }

    /// The endpoint as `tcp://`, `vsock://` or `unix://` text.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        case .vsock(let cid, let port): "vsock://\(cid):\(port)"
        case .unix(let path): "unix://\(path)"
        }
    }
}
