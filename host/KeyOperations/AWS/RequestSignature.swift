import Crypto
import Foundation

/// AWS Signature Version 4 over a POST to `/` without a query.
struct RequestSignature {
    let accessKeyID: String
    let secretAccessKey: [UInt8]
    let region: String
    let service: String

    /// The `Authorization` header for a request with these headers, names in lower case; `x-amz-date` among them.
    func header(over headers: [String: String], body: [UInt8]) -> String {
        let time = headers["x-amz-date"] ?? ""
        let names = headers.keys.sorted()
        let canonical = [
            "POST", "/", "", names.map { "\($0):\(headers[$0] ?? "")\n" }.joined(), names.joined(separator: ";"),
            Self.hex(SHA256.hash(data: Data(body))),
        ].joined(separator: "\n")
        let scope = [String(time.prefix(8)), region, service, "aws4_request"]
        let text = [
            "AWS4-HMAC-SHA256", time, scope.joined(separator: "/"), Self.hex(SHA256.hash(data: Data(canonical.utf8))),
        ].joined(separator: "\n")
        var key = SymmetricKey(data: Array("AWS4".utf8) + secretAccessKey)
        for part in scope {
            key = SymmetricKey(data: Data(HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key)))
        }
        let signature = Self.hex(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
        return "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(scope.joined(separator: "/")), "
            + "SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)"
    }

    /// `yyyyMMddTHHmmssZ`
    static func time(_ date: Date) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = .gmt
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return format.string(from: date)
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
