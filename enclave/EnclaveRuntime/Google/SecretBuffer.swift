internal import Sodium

/// Locked memory that is filled piece by piece: request bodies with secrets, token answers, bearer headers.
public struct SecretBuffer: ~Copyable, Sendable {
    /// Bytes written so far.
    public private(set) var count = 0
    /// Whether more was appended than there is room for; what did not fit is not there.
    public private(set) var overflowed = false
    private var memory: SecretBytes

    /// An empty buffer for at most `capacity` bytes.
    public init(capacity: Int) { memory = unsafe SecretBytes(count: capacity) { _ in } }

    /// Lends what was written.
    public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        let count = count
        return try unsafe memory.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(E) -> R in
            try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
    }

    /// Appends one byte.
    public mutating func append(_ byte: UInt8) {
        guard count < memory.count else {
            overflowed = true
            return
        }
        let count = count
        unsafe memory.withUnsafeMutableBytes { unsafe $0[count] = byte }
        self.count = count + 1
    }

    /// Appends all of `bytes`.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= memory.count - count else {
            overflowed = true
            return
        }
        let count = count
        unsafe memory.withUnsafeMutableBytes { memory in
            unsafe UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + bytes.count)])
                .copyMemory(from: bytes)
        }
        self.count = count + bytes.count
    }

    /// Appends text that is no secret.
    public mutating func append(_ text: String) { for byte in text.utf8 { append(byte) } }

    /// Appends `bytes` percent-encoded for a form or a query (RFC 3986 unreserved characters stay).
    mutating func appendEncoded(_ bytes: UnsafeRawBufferPointer) {
        for index in bytes.indices { appendEncoded(unsafe bytes[index]) }
    }

    /// Appends a form field with a public value.
    mutating func appendField(_ name: String, _ value: String) {
        append(count == 0 ? "\(name)=" : "&\(name)=")
        for byte in value.utf8 { appendEncoded(byte) }
    }

    /// Appends a form field with a secret value.
    mutating func appendField(_ name: String, secret: UnsafeRawBufferPointer) {
        append(count == 0 ? "\(name)=" : "&\(name)=")
        unsafe appendEncoded(secret)
    }

    private mutating func appendEncoded(_ byte: UInt8) {
        guard !isUnreserved(byte) else { return append(byte) }
        let digits = StaticString("0123456789ABCDEF")
        append(UInt8(ascii: "%"))
        append(unsafe digits.utf8Start[Int(byte >> 4)])
        append(unsafe digits.utf8Start[Int(byte & 15)])
    }

    /// Appends what the inside of a JSON string stands for; false when it is not Unicode.
    ///
    /// Only characters of one byte are taken from `\u` escapes: tokens, codes and scopes have no others.
    mutating func appendUnescaped(_ text: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < text.count {
            let byte = unsafe text[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                append(byte)
                continue
            }
            guard index < text.count else { return false }
            let kind = unsafe text[index]
            index += 1
            switch kind {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): append(kind)
            case UInt8(ascii: "u"):
                guard index + 4 <= text.count else { return false }
                var value: UInt16 = 0
                for offset in 0..<4 {
                    guard let digit = hexadecimalValue(unsafe text[index + offset]) else { return false }
                    value = value << 4 | UInt16(digit)
                }
                guard (0x20..<0x7F).contains(value) else { return false }
                append(UInt8(value))
                index += 4
            default: return false
            }
        }
        return !overflowed
    }
}

/// Letters, digits and `-._~`.
func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        true
    default: false
    }
}

/// `text` percent-encoded for a query.
func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
        if isUnreserved(byte) {
            result.append(byte)
        } else {
            result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: result, as: UTF8.self)
}
