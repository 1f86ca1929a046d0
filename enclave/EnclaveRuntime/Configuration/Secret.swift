internal import Glibc
public import Sodium

/// One configured secret, shared by whoever needs it; its bytes stay in locked memory and are only ever lent.
public final class Secret: Sendable {
    private let bytes: SecretBytes

    /// Takes over `bytes`.
    public init(_ bytes: consuming SecretBytes) { self.bytes = bytes }

    /// Length in bytes.
    public var count: Int { bytes.count }

    /// Lends the bytes to `body`.
    public func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe bytes.withUnsafeBytes(body)
    }

    /// A second copy, for a type that wants to own it.
    public func copy() -> SecretBytes { bytes.copy() }
}

/// Why a secret file is not used.
public enum SecretFileError: Error, Equatable, Sendable {
    case unreadable, notPrivate, empty, tooLarge

    /// The rule that the file breaks.
    public var rule: String {
        switch self {
        case .unreadable: "the file cannot be read"
        case .notPrivate: "the file must be a regular file of mode 0600 or stricter"
        case .empty: "the file is empty"
        case .tooLarge: "the file is larger than 8 KiB"
        }
    }
}

/// Reads secret files without the value ever passing through a `String`.
public enum SecretFile {
    private static let maximumBytes = 8192

    /// The content of the file at `path` without white space at either end.
    public static func read(_ path: String) throws(SecretFileError) -> SecretBytes {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .unreadable }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0 else { throw .notPrivate }
        guard status.st_size <= maximumBytes else { throw .tooLarge }
        var filled = 0
        let whole = unsafe SecretBytes(count: maximumBytes) { memory in
            while filled < memory.count {
                let got = unsafe Glibc.read(descriptor, memory.baseAddress?.advanced(by: filled), memory.count - filled)
                guard got > 0 else { break }
                filled += got
            }
        }
        let trimmed: SecretBytes? = unsafe whole.withUnsafeBytes { memory in
            var start = 0
            var end = filled
            while start < end, unsafe isBlank(memory[start]) { start += 1 }
            while end > start, unsafe isBlank(memory[end - 1]) { end -= 1 }
            guard start < end else { return nil }
            return unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        }
        guard let trimmed else { throw .empty }
        return trimmed
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
