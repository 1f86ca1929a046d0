/// The full ARN of an AWS key: `arn:aws:kms:<region>:<account>:key/<id>`; an alias is none, for its owner may turn it.
public struct AWSKeyID: Hashable, Sendable {
    /// As configured, and as every answer of KMS has to name it.
    public let arn: String
    /// Region of the key and of its endpoint.
    public let region: String

    /// Parses an ARN; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "arn", parts[1] == "aws", parts[2] == "kms",
            isName(parts[3], atMost: 32, extra: "-"), parts[4].utf8.count == 12,
            decimal(parts[4], in: 0...Int.max) != nil, parts[5].hasPrefix("key/"),
            isName(String(parts[5].dropFirst(4)), atMost: 64, extra: "-")
        else { return nil }
        arn = text
        region = parts[3]
    }

    /// Public endpoint of KMS in the key's region.
    public var standardEndpoint: String { "https://kms.\(region).amazonaws.com" }
}
