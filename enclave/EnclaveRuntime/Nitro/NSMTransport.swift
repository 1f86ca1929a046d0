internal import AttestedSession
internal import CLinux
internal import EnclaveProtocol
internal import Glibc

/// Carries one request to the secure module and its answer back; used by one thread.
///
/// The device is a character device with one ioctl. A Unix socket in its place (4 bytes of big-endian length, then the
/// CBOR, both ways) lets the same executable run where there is no Nitro hardware: what answers there can sign nothing
/// that leads to the AWS root.
enum NSMTransport: Sendable {
    /// Largest request that the driver takes.
    static let maximumRequestBytes = 0x1000
    /// Room for an answer. A driver cuts an answer that does not fit without a word: a full buffer is no answer.
    static let answerBytes = 0x3000

    case device(path: String)
    case socket(Endpoint)

    /// The transport for what is found at `path`.
    init(path: String) throws(SecureModuleError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw .unavailable }
        switch status.st_mode & S_IFMT {
        case S_IFCHR: self = .device(path: path)
        case S_IFSOCK:
            guard let endpoint = Endpoint(bindAddress: "unix://\(path)") else { throw .unavailable }
            self = .socket(endpoint)
        default: throw .unavailable
        }
    }

    /// Sends `request` and returns exactly the bytes of the answer; nothing is tried twice.
    func exchange(_ request: [UInt8], deadline: MonotonicInstant) throws(SecureModuleError) -> [UInt8] {
        guard request.count <= Self.maximumRequestBytes else { throw .tooLarge }
        switch self {
        case .device(let path): return try Self.call(path, request)
        case .socket(let endpoint): return try Self.ask(endpoint, request, deadline)
        }
    }

    private static func call(_ path: String, _ request: [UInt8]) throws(SecureModuleError) -> [UInt8] {
        let descriptor = unsafe alfred_open_device(path)
        guard descriptor >= 0 else { throw .unavailable }
        defer { close(descriptor) }
        var answer = [UInt8](repeating: 0, count: answerBytes)
        var length = UInt(answerBytes)
        guard unsafe alfred_nsm_call(descriptor, request, UInt(request.count), &answer, &length) == 0 else {
            throw errno == ETIMEDOUT ? .timedOut : .unavailable
        }
        guard (1..<UInt(answerBytes)).contains(length) else { throw .malformed }
        return Array(answer.prefix(Int(length)))
    }

    private static func ask(
        _ endpoint: Endpoint, _ request: [UInt8], _ deadline: MonotonicInstant
    ) throws(SecureModuleError) -> [UInt8] {
        do throws(SessionError) {
            let stream = try ByteStream(to: endpoint, deadline: deadline)
            let length = UInt32(request.count)
            try stream.send(
                (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + request, deadline: deadline)
            let count = try stream.receive(4, deadline: deadline).reduce(0) { $0 << 8 | Int($1) }
            guard (1..<answerBytes).contains(count) else { throw .malformed }
            return try stream.receive(count, deadline: deadline)
        } catch {
            switch error {
            case .timedOut: throw .timedOut
            case .malformed: throw .malformed
            default: throw .unavailable
            }
        }
    }
}
