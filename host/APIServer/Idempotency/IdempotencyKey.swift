import Crypto
import HTTPTypes

/// A client's name for one request that it may send again: 1–128 of `[A-Za-z0-9._-]`.
struct IdempotencyKey: Sendable, Equatable {
    let text: String

    /// - Throws: `invalid_idempotency_key`; nil when the request carries none.
    static func read(_ headers: HTTPFields) throws(APIError) -> IdempotencyKey? {
        let values = headers[values: .idempotencyKey]
        guard let first = values.first else { return nil }
        guard values.count == 1, (1...128).contains(first.utf8.count), first.utf8.allSatisfy(isAllowed) else {
            throw APIError(.invalidIdempotencyKey)
        }
        return IdempotencyKey(text: first)
    }

    /// What is stored of it.
    var hash: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    /// What is stored of the request: without the client's key nobody can try bodies against it.
    func hash(ofRequest bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: Array(text.utf8))))
    }

    /// The key together with the request: what a job made by it is found by.
    func jobKey(ofRequest bytes: [UInt8]) -> String {
        text + ":" + hash(ofRequest: bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || "._-".utf8.contains(byte)
    }
}
