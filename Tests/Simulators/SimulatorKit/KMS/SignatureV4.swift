import Crypto
import Foundation
import HTTPTypes

/// AWS Signature Version 4 of one request, as the service checks it.
struct SignatureV4 {
    /// How far a request's time may be from the service's.
    static let tolerance: TimeInterval = 300

    let accessKeyID: String
    private let scope: [String]
    private let signedHeaders: [String]
    private let signature: String

    /// - Throws: what the service answers to a header that is missing or incomplete.
    init(of request: ProviderRequest) throws(KMSError) {
        guard let header = request.headers[.authorization] else { throw .missingToken }
        guard let rest = header.dropPrefix("AWS4-HMAC-SHA256 ") else {
            throw .incompleteSignature("Unsupported AWS 'algorithm'")
        }
        var fields: [String: String] = [:]
        for part in rest.split(separator: ",") {
            let halves = part.split(separator: "=", maxSplits: 1)
            guard halves.count == 2 else { throw .incompleteSignature("Authorization header is malformed") }
            fields[halves[0].trimmingCharacters(in: .whitespaces)] = halves[1].trimmingCharacters(in: .whitespaces)
        }
        guard let credential = fields["Credential"], let headers = fields["SignedHeaders"],
            let signature = fields["Signature"]
        else { throw .incompleteSignature("Authorization header requires Credential, SignedHeaders and Signature") }
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5 else { throw .incompleteSignature("Credential must have five parts") }
        accessKeyID = parts[0]
        scope = Array(parts[1...])
        signedHeaders = headers.split(separator: ";").map(String.init)
        self.signature = signature
    }

    /// - Throws: unless `request` was signed with `secret`, for this region, just now.
    func verify(_ request: ProviderRequest, secret: String, region: String, now: Date) throws(KMSError) {
        guard scope[1] == region, scope[2] == "kms", scope[3] == "aws4_request" else {
            throw .invalidSignature("Credential should be scoped to a valid region and to service 'kms'.")
        }
        guard let time = Self.header("x-amz-date", of: request), let date = Self.date(time), time.hasPrefix(scope[0])
        else { throw .incompleteSignature("Date in Credential scope does not match X-Amz-Date") }
        guard abs(date.timeIntervalSince(now)) <= Self.tolerance else {
            throw .invalidSignature("Signature expired: \(time) is not within 5 min. of the service's time")
        }
        let present = request.headers.map(\.name.canonicalName).filter { $0.hasPrefix("x-amz-") }
        for name in ["host"] + present where !signedHeaders.contains(name) {
            throw .invalidSignature("'\(name)' must be a 'SignedHeader' in the AWS Authorization.")
        }
        guard signedHeaders == signedHeaders.sorted() else { throw .invalidSignature("SignedHeaders is not sorted") }
        let expected = hexadecimal(signature(of: request, secret: secret, time: time))
        guard expected == signature else {
            throw .invalidSignature(
                "The request signature we calculated does not match the signature you provided.")
        }
    }

    private func signature(of request: ProviderRequest, secret: String, time: String) -> [UInt8] {
        let headers = signedHeaders.map { name in "\(name):\(Self.header(name, of: request) ?? "")\n" }.joined()
        let canonical = [
            request.method.rawValue, request.path.isEmpty ? "/" : request.path, Self.query(request.rawQuery), headers,
            signedHeaders.joined(separator: ";"), hexadecimal(SHA256.hash(data: Data(request.body))),
        ].joined(separator: "\n")
        let text = [
            "AWS4-HMAC-SHA256", time, scope.joined(separator: "/"),
            hexadecimal(SHA256.hash(data: Data(canonical.utf8))),
        ].joined(separator: "\n")
        var key = Array("AWS4\(secret)".utf8)
        for part in scope + [text] {
            key = Array(HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: SymmetricKey(data: key)))
        }
        return key
    }

    private static func header(_ name: String, of request: ProviderRequest) -> String? {
        if name == "host" { return request.authority }
        guard let field = HTTPField.Name(name) else { return nil }
        let values = request.headers[values: field].map { value in
            value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    private static func query(_ raw: String) -> String {
        raw.split(separator: "&").map { $0.contains("=") ? String($0) : $0 + "=" }.sorted().joined(separator: "&")
    }

    private static func date(_ text: String) -> Date? {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = .gmt
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return format.date(from: text)
    }
}

/// Lower-case hexadecimal digits.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
