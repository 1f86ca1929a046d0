internal import CLinux
internal import Glibc

/// A connection to any kind of endpoint with nothing of the session protocol on it.
///
/// Blocking, with a deadline on everything; for one thread at a time.
public final class ByteStream {
    /// The non-blocking socket; closed with this object.
    public let descriptor: Int32

    /// Connects.
    public init(to endpoint: Endpoint, deadline: MonotonicInstant) throws(SessionError) {
        descriptor = try Sockets.connect(to: endpoint, deadline: deadline)
    }

    /// Begins to connect and does not wait: the descriptor becomes writable when that has come to an end.
    public init(startingTo endpoint: Endpoint) throws(SessionError) {
        descriptor = try Sockets.startConnecting(to: endpoint)
    }

    deinit { Glibc.close(descriptor) }

    /// Sends all of `bytes`.
    public func send(_ bytes: [UInt8], deadline: MonotonicInstant) throws(SessionError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch unsafe rest.withUnsafeBytes({ unsafe Descriptor.send(descriptor, $0) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock:
                guard Descriptor.wait(descriptor, for: POLLOUT, until: deadline) else { throw .timedOut }
            case .ended: throw .closedByPeer
            }
        }
    }

    /// Receives exactly `count` bytes.
    public func receive(_ count: Int, deadline: MonotonicInstant) throws(SessionError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let transfer = unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe Descriptor.receive(descriptor, into: UnsafeMutableRawBufferPointer(rebasing: bytes[filled...]))
            }
            switch transfer {
            case .bytes(let more): filled += more
            case .wouldBlock:
                guard Descriptor.wait(descriptor, for: POLLIN, until: deadline) else { throw .timedOut }
            case .ended: throw .closedByPeer
            }
        }
        return bytes
    }
}
