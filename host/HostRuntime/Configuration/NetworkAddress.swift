internal import Glibc

/// An IP address; IPv4 and IPv4-mapped IPv6 are equal.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 16 bytes, IPv4 mapped into IPv6.
    public let bytes: [UInt8]

    private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

    /// Reads a literal address, without brackets, zone or port.
    public init?(_ text: String) {
        guard text.utf8.count <= 45 else { return nil }
        var four = [UInt8](repeating: 0, count: 4)
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            bytes = Self.mapped + four
            return
        }
        var sixteen = [UInt8](repeating: 0, count: 16)
        guard unsafe inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
        bytes = sixteen
    }

    public var isIPv4: Bool { bytes.starts(with: Self.mapped) }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        isIPv4 ? bytes[12] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    public var description: String {
        if isIPv4 { return bytes[12...].map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2)
            .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
    }
}

/// A block of addresses.
public struct IPNetwork: Hashable, Sendable {
    public let address: IPAddress
    /// Bits of the 16-byte form that must agree, 1 to 128.
    public let prefixLength: Int

    /// Reads `address` or `address/length`; a length of 0 is refused.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        let isFour = address.isIPv4 && !first.contains(":")
        let bits = isFour ? 32 : 128
        var length = bits
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let stated = Int(parts[1]),
                (1...bits).contains(stated)
            else { return nil }
            length = stated
        }
        self.address = address
        prefixLength = isFour ? length + 96 : length
    }

    public func contains(_ other: IPAddress) -> Bool {
        let whole = prefixLength / 8
        guard address.bytes[..<whole] == other.bytes[..<whole] else { return false }
        let rest = prefixLength % 8
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xff << (8 - rest))
        return address.bytes[whole] & mask == other.bytes[whole] & mask
    }
}

/// Address and port of a listener; port 0 lets the system choose.
public struct BindAddress: Hashable, Sendable, CustomStringConvertible {
    /// A literal address, IPv6 without brackets.
    public let host: String
    public let port: Int

    /// Reads `address:port`, IPv6 in brackets.
    public init?(_ text: String) {
        guard let (host, port) = splitHostPort(text, ports: 0...65535), IPAddress(host) != nil else { return nil }
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Host and port of `host:port`, brackets of IPv6 taken off.
func splitHostPort(_ text: String, ports: ClosedRange<Int>) -> (host: String, port: Int)? {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits),
        ports.contains(port)
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
        host = host.dropFirst().dropLast()
        guard host.contains(":") else { return nil }
    } else if host.contains(":") {
        return nil
    }
    return host.isEmpty ? nil : (String(host), port)
}
