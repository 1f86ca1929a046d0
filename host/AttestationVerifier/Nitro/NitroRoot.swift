internal import Sodium

/// The certificate that a chain must begin with, byte for byte.
public struct NitroRoot: Equatable, Sendable {
    /// The DER; empty where nothing is trusted.
    public let certificate: [UInt8]

    /// Root of the commercial AWS regions, `CN=aws.nitro-enclaves`, 2019 to 2049, 533 bytes.
    ///
    /// - Source: the AWS Nitro Enclaves user guide, which publishes its fingerprint (`awsFingerprint`). Other partitions
    ///   have other roots.
    public static let aws = NitroRoot(awsCertificate)

    /// SHA-256 of the DER of the root of AWS, as AWS publishes it.
    public static let awsFingerprint = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"

    /// Pins nothing: every document is refused.
    public static let none = NitroRoot([])

    /// SHA-256 of the DER.
    public var fingerprint: [UInt8] { Hash.sha256(certificate) }

    /// Whether it is the root of AWS; any other is a test root.
    public var isAWS: Bool { self == .aws }

    private init(_ certificate: [UInt8]) { self.certificate = certificate }

    /// The certificate, if it is the one with the published fingerprint: a slip in these lines trusts nothing.
    private static let awsCertificate: [UInt8] = {
        let der = Base64.decode(awsBase64.filter { !$0.isWhitespace }) ?? []
        return Hex.encode(Hash.sha256(der)) == awsFingerprint ? der : []
    }()

    private static let awsBase64 = """
        MIICETCCAZagAwIBAgIRAPkxdWgbkK/hHUbMtOTn+FYwCgYIKoZIzj0EAwMwSTELMAkGA1UEBhMCVVMxDzANBgNVBAoMBkFt
        YXpvbjEMMAoGA1UECwwDQVdTMRswGQYDVQQDDBJhd3Mubml0cm8tZW5jbGF2ZXMwHhcNMTkxMDI4MTMyODA1WhcNNDkxMDI4
        MTQyODA1WjBJMQswCQYDVQQGEwJVUzEPMA0GA1UECgwGQW1hem9uMQwwCgYDVQQLDANBV1MxGzAZBgNVBAMMEmF3cy5uaXRy
        by1lbmNsYXZlczB2MBAGByqGSM49AgEGBSuBBAAiA2IABPwCVOumCMHzaHDimtqQvkY4MpJzbolL//Zy2YlES1BR5TSksfbb
        48C8WBoyt7F2Bw7eEtaaP+ohG2bnUs990d0JX28TcPQXCEPZ3BABIeTPYwEoCWZEh8l5YoQwTcU/9KNCMEAwDwYDVR0TAQH/
        BAUwAwEB/zAdBgNVHQ4EFgQUkCW1DdkFR+eWw5b6cp3PmanfS5YwDgYDVR0PAQH/BAQDAgGGMAoGCCqGSM49BAMDA2kAMGYC
        MQCjfy+Rocm9Xue4YnwWmNJVA44fA0P5W2OpYow9OYCVRaEevL8uO1XYru5xtMPWrfMCMQCi85sWBbJwKKXdS6BptQFuZbT7
        3o/gBh1qUxl/nNr12UO8Yfwr6wPLb+6NIwLz3/Y=
        """

    /// A test root; refused where it could not issue anything.
    public init(testCertificate der: [UInt8]) throws(NitroRefusal) {
        let profile = try CertificateProfile(der: der, at: "root")
        try profile.requireIssuer(issuersBelow: 0, at: "root")
        self.init(der)
    }

    /// A test root from a PEM file that holds one certificate and nothing else.
    public init(testPEM text: String) throws(NitroRefusal) {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
        guard lines.count > 2, lines.first == "-----BEGIN CERTIFICATE-----", lines.last == "-----END CERTIFICATE-----",
            let der = Base64.decode(lines.dropFirst().dropLast().joined())
        else {
            throw NitroRefusal(
                .certificateEncoding, at: "root", expected: "PEM of one certificate", found: "another text")
        }
        try self.init(testCertificate: der)
    }

    /// Whether `der` is the pinned certificate.
    func pins(_ der: [UInt8]) -> Bool { !der.isEmpty && der == certificate }
}

extension Substring {
    fileprivate func trimmingSpaces() -> String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
