internal import CSodium

/// Base64 (RFC 4648), strict: padding as the alphabet demands, no blanks, no bits left over.
public enum Base64 {
    /// Encodes with the standard alphabet and padding.
    public static func encode(_ bytes: [UInt8]) -> String {
        encode(bytes, sodium_base64_VARIANT_ORIGINAL)
    }

    /// Encodes with the URL alphabet and without padding.
    public static func encodeURL(_ bytes: [UInt8]) -> String {
        encode(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING)
    }

    /// Decodes the standard alphabet with padding; nil when malformed.
    public static func decode(_ text: String) -> [UInt8]? {
        decode(text, sodium_base64_VARIANT_ORIGINAL)
    }

    /// Decodes the URL alphabet without padding; nil when malformed.
    public static func decodeURL(_ text: String) -> [UInt8]? {
        decode(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING)
    }

    /// Decodes the standard alphabet with padding straight into locked memory; nil when malformed.
    ///
    /// The text is read where it lies, so that a key file never passes through a `String`.
    public static func decodeSecret(_ text: UnsafeRawBufferPointer) -> SecretBytes? {
        guard let count = unsafe decodedCount(text) else { return nil }
        var decoded = false
        let secret = unsafe SecretBytes(count: count) { decoded = unsafe decode(text, into: $0) }
        return decoded ? consume secret : nil
    }

    /// The number of bytes that standard base64 `text` stands for, by its length and padding; nil when impossible.
    static func decodedCount(_ text: UnsafeRawBufferPointer) -> Int? {
        guard text.count.isMultiple(of: 4) else { return nil }
        guard text.count > 0 else { return 0 }
        let equals = UInt8(ascii: "=")
        let padding = unsafe (text[text.count - 1] == equals ? 1 : 0) + (text[text.count - 2] == equals ? 1 : 0)
        return text.count / 4 * 3 - padding
    }

    /// Decodes standard base64 into `output`; false unless all text was used and `output` was filled exactly.
    static func decode(_ text: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
        unsafe decode(text, sodium_base64_VARIANT_ORIGINAL, into: output) == output.count
    }

    private static func encode(_ bytes: [UInt8], _ variant: Int32) -> String {
        let size = sodium_base64_encoded_len(bytes.count, variant)  // with the zero at the end
        return unsafe String(unsafeUninitializedCapacity: size) { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { buffer in
                guard let start = buffer.baseAddress else { return }
                unsafe sodium_bin2base64(start, size, bytes, bytes.count, variant)
            }
            return size - 1
        }
    }

    private static func decode(_ text: String, _ variant: Int32) -> [UInt8]? {
        let text = Array(text.utf8)
        var count: Int?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { buffer, filled in
            count = unsafe text.withUnsafeBytes {
                unsafe decode($0, variant, into: UnsafeMutableRawBufferPointer(buffer))
            }
            filled = count ?? 0
        }
        return count == nil ? nil : bytes
    }

    private static func decode(
        _ text: UnsafeRawBufferPointer, _ variant: Int32, into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var written = 0
        let characters = unsafe text.baseAddress?.assumingMemoryBound(to: CChar.self)
        // Without an end pointer libsodium fails unless it has used up the text.
        guard
            unsafe sodium_base642bin(
                output.octets, output.count, characters, text.count, nil, &written, nil, variant) == 0
        else { return nil }
        return written
    }
}

/// Lower-case hexadecimal.
public enum Hex {
    /// Encodes in lower case.
    public static func encode(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return unsafe String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            for (index, byte) in bytes.enumerated() {
                unsafe buffer[index * 2] = digits[Int(byte >> 4)]
                unsafe buffer[index * 2 + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }

    /// Decodes pairs of digits in either case; nil when malformed.
    public static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
