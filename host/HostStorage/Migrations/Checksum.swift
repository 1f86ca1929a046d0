import Crypto

extension Migration {
    /// SHA-256 of the file, hexadecimal.
    var checksum: String {
        SHA256.hash(data: Array(sql.utf8)).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
