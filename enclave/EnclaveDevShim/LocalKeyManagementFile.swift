internal import CLinux
internal import Sodium

/// Why the local key management does not start; says nothing about the key.
public enum LocalKeyManagementError: Error, Equatable, Sendable {
    /// This enclave's measurement is not among the allowed ones.
    case measurementNotAllowed
    /// The key file is not there, no regular file, or cannot be read.
    case unreadable
    /// The key file belongs to another user, or others than its owner have rights on it.
    case insecureFile
    /// The key file is not base64 of 32 bytes.
    case malformed
}

/// The key file: base64 of 32 bytes, perhaps with a line end, mode 0600 or stricter, owned by this process' user.
enum LocalKeyFile {
    private static let keyBytes = 32
    /// 44 characters and a line end, and one byte more to notice a longer file.
    private static let maximumBytes = 46

    /// Reads the key without a copy outside locked memory.
    static func read(_ path: String) throws(LocalKeyManagementError) -> SecretBytes {
        let descriptor = unsafe alfred_open_for_reading(path)
        guard descriptor >= 0 else { throw .unreadable }
        defer { close(descriptor) }

        // Asked of the open descriptor, so that the file cannot be exchanged between the check and the reading.
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, Int32(status.st_mode) & S_IFMT == S_IFREG else {
            throw .unreadable
        }
        guard status.st_uid == geteuid(), status.st_mode & 0o177 == 0 else { throw .insecureFile }

        var length = 0
        let text = unsafe SecretBytes(count: maximumBytes) { buffer in
            unsafe length = readAll(descriptor, into: buffer)
        }
        guard length >= 0 else { throw .unreadable }
        guard length < maximumBytes else { throw .malformed }
        let key = unsafe text.withUnsafeBytes { text in
            let ended = unsafe length > 0 && text[length - 1] == UInt8(ascii: "\n")
            return unsafe Base64.decodeSecret(UnsafeRawBufferPointer(rebasing: text[..<(ended ? length - 1 : length)]))
        }
        guard let key, key.count == keyBytes else { throw .malformed }
        return key
    }

    /// Reads until the end or until `buffer` is full; −1 on an error.
    private static func readAll(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var length = 0
        while length < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[length...])
            let count = unsafe CLinux.read(descriptor, rest.baseAddress, rest.count)
            if count < 0 { return -1 }
            if count == 0 { break }
            length += count
        }
        return length
    }
}
