internal import CSodium

extension Hash {
    /// HKDF-SHA-512 (RFC 5869) of a secret, into a new secret of `count` bytes, at most 16,320.
    public static func hkdfSHA512(
        secret: borrowing SecretBytes, salt: [UInt8], info: [UInt8], count: Int
    ) -> SecretBytes {
        unsafe SecretBytes(count: count) { output in
            unsafe secret.withUnsafeBytes { secret in
                unsafe salt.withUnsafeBytes { salt in
                    unsafe info.withUnsafeBytes { info in
                        unsafe hkdfSHA512(secret: secret, salt: salt, info: info, into: output)
                    }
                }
            }
        }
    }

    /// HKDF-SHA-512 (RFC 5869) into `output`, at most 16,320 bytes; allocates nothing and wipes what lies between.
    public static func hkdfSHA512(
        secret: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer, info: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(output.count <= 255 * sha512Bytes)
        // The pseudorandom key, then the running block.
        unsafe SecretMemory.withScratch(2 * sha512Bytes) { scratch in
            let key = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[..<sha512Bytes])
            let block = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[sha512Bytes...])
            unsafe hmacSHA512(key: salt, secret, into: key)
            var written = 0
            var counter: UInt8 = 1
            while written < output.count {
                let previous = unsafe UnsafeRawBufferPointer(rebasing: block[..<(written == 0 ? 0 : sha512Bytes)])
                unsafe withUnsafeBytes(of: counter) { counter in
                    unsafe hmacSHA512(key: UnsafeRawBufferPointer(key), previous, info, counter, into: block)
                }
                let piece = min(sha512Bytes, output.count - written)
                unsafe UnsafeMutableRawBufferPointer(rebasing: output[written..<(written + piece)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<piece]))
                written += piece
                counter &+= 1
            }
        }
    }
}
