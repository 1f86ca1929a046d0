internal import Glibc

/// Why a secret file cannot be used; none of the cases holds content.
public enum SecretFileError: Error, Equatable, Sendable {
    case unreadable, notAFile, modeTooOpen, tooLarge, notText, notAKey

    /// The rule the file breaks, for a configuration violation.
    public var rule: String {
        switch self {
        case .unreadable: "names a file that cannot be read"
        case .notAFile: "names something that is not a regular file"
        case .modeTooOpen: "names a file whose mode is not 0600 or stricter"
        case .tooLarge: "names a file that is larger than 64 KiB"
        case .notText: "names a file that is not UTF-8 text"
        case .notAKey: "names a file that is not base64 of a key of the right length"
        }
    }
}

/// Reads files that hold a secret and that nobody but their owner can read.
public enum SecretFile {
    /// Bytes, the most a secret file may hold.
    public static let maximumBytes = 64 * 1024

    /// The trimmed text of the file at `path`.
    public static func text(at path: String) throws(SecretFileError) -> Secret {
        let text = try unsafe withBytes(of: path) { bytes throws(SecretFileError) -> String in
            guard let text = unsafe String(validating: bytes, as: UTF8.self) else { throw .notText }
            return text
        }
        return Secret(String(trimming(text[...])))
    }

    /// Fills `key` with the base64-decoded content of the file at `path`, which must have exactly that length.
    ///
    /// No copy of the content outlives the call.
    public static func readKey(at path: String, into key: UnsafeMutableRawBufferPointer) throws(SecretFileError) {
        try unsafe withBytes(of: path) { bytes throws(SecretFileError) in
            guard unsafe decodeBase64(bytes, into: key) else { throw .notAKey }
        }
    }

    /// Checks that the file at `path` holds base64 of `count` bytes, and forgets them.
    public static func checkKey(at path: String, count: Int) throws(SecretFileError) {
        let key = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer {
            if let base = key.baseAddress { unsafe explicit_bzero(base, count) }
            unsafe key.deallocate()
        }
        try unsafe readKey(at: path, into: key)
    }

    private static func withBytes<R>(
        of path: String, _ use: (UnsafeBufferPointer<UInt8>) throws(SecretFileError) -> R
    ) throws(SecretFileError) -> R {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .unreadable }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        guard status.st_mode & 0o177 == 0 else { throw .modeTooOpen }
        let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: maximumBytes + 1)
        defer {
            unsafe explicit_bzero(buffer, maximumBytes + 1)
            unsafe buffer.deallocate()
        }
        var filled = 0
        while filled <= maximumBytes {
            let count = unsafe read(descriptor, buffer + filled, maximumBytes + 1 - filled)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable }
            if count == 0 { break }
            filled += count
        }
        guard filled <= maximumBytes else { throw .tooLarge }
        return try unsafe use(UnsafeBufferPointer(start: buffer, count: filled))
    }
}

/// Decodes strict, padded base64 with surrounding white space; false unless it fills `output` exactly.
func decodeBase64(_ bytes: UnsafeBufferPointer<UInt8>, into output: UnsafeMutableRawBufferPointer) -> Bool {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    var start = 0
    var end = bytes.count
    while start < end, unsafe isSpace(bytes[start]) { start += 1 }
    while end > start, unsafe isSpace(bytes[end - 1]) { end -= 1 }
    guard (end - start) == (output.count + 2) / 3 * 4 else { return false }
    let padding = (3 - output.count % 3) % 3
    for index in (end - padding)..<end where unsafe bytes[index] != 0x3d { return false }
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    var written = 0
    for index in start..<(end - padding) {
        guard let value = unsafe base64Value(bytes[index]) else { return false }
        bits = (bits << 6 | value) & 0xffff
        bitCount += 6
        guard bitCount >= 8 else { continue }
        bitCount -= 8
        guard written < output.count else { return false }
        unsafe output[written] = UInt8(truncatingIfNeeded: bits >> bitCount)
        written += 1
    }
    return written == output.count && bits & ((1 << bitCount) - 1) == 0
}

private func base64Value(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x41...0x5a: UInt32(byte) - 0x41
    case 0x61...0x7a: UInt32(byte) - 0x61 + 26
    case 0x30...0x39: UInt32(byte) - 0x30 + 52
    case 0x2b: 62
    case 0x2f: 63
    default: nil
    }
}

/// The bytes of strict, padded base64 `text`, or nil; for values that are no secret.
func base64Bytes(_ text: String, count: Int) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: count)
    let characters = Array(text.utf8)
    let decoded = unsafe characters.withUnsafeBufferPointer { bytes in
        unsafe output.withUnsafeMutableBytes { unsafe decodeBase64(bytes, into: $0) }
    }
    return decoded ? output : nil
}

/// `text` without white space at both ends.
func trimming(_ text: Substring) -> Substring {
    var rest = text
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return rest
}
