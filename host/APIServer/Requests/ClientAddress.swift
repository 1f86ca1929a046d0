import HTTPTypes
import HostRuntime
import NIOCore

/// Who a request comes from, for limits of unauthenticated callers; neither stored nor logged.
struct ClientAddress: Sendable, Equatable {
    /// Forwarded entries that are read.
    static let maximumEntries = 32

    let address: IPAddress

    /// The subject of a limit: an IPv4 address, or the /64 of an IPv6 address.
    var limitSubject: String {
        if address.isIPv4 { return address.description }
        let bytes = Array(address.bytes.prefix(8)) + [UInt8](repeating: 0, count: 8)
        return bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined() + "/64"
    }

    /// The peer, or what a listed proxy says about the address it forwards for.
    init(peer: IPAddress, headers: HTTPFields, trusted: [IPNetwork]) {
        func isListed(_ address: IPAddress) -> Bool { trusted.contains { $0.contains(address) } }
        guard isListed(peer) else {
            address = peer
            return
        }
        let entries = headers[values: .xForwardedFor].flatMap {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        guard !entries.isEmpty else {
            let real = headers[.xRealIP].flatMap { Self.parse($0[...]) }
            address = real ?? peer
            return
        }
        var client = peer
        for entry in entries.suffix(Self.maximumEntries).reversed() {
            guard let hop = Self.parse(entry) else { break }
            client = hop
            guard isListed(hop) else { break }
        }
        address = client
    }

    private static func parse(_ text: Substring) -> IPAddress? {
        let trimmed = text.drop { $0 == " " || $0 == "\t" }
        let end = trimmed.lastIndex { $0 != " " && $0 != "\t" }
        guard let end else { return nil }
        return IPAddress(String(trimmed[...end]))
    }
}

/// What a client's address is read from, when it is needed: most requests have a user and need none.
struct ClientSource: Sendable {
    let peer: SocketAddress?
    let headers: HTTPFields
    let trusted: [IPNetwork]

    var address: ClientAddress { ClientAddress(peer: peer.address, headers: headers, trusted: trusted) }
}

extension SocketAddress? {
    /// The peer's address; a local socket counts as loopback.
    fileprivate var address: IPAddress {
        if let text = self?.ipAddress, let address = IPAddress(String(text.prefix { $0 != "%" })) { return address }
        guard let loopback = IPAddress("127.0.0.1") else { preconditionFailure("127.0.0.1 is an address") }
        return loopback
    }
}
