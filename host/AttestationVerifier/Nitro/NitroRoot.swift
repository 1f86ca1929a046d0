internal import Sodium

/// The certificate that a chain must begin with, pinned by the SHA-256 of its DER.
public struct NitroRoot: Equatable, Sendable {
    /// SHA-256 of the DER.
    public let fingerprint: [UInt8]
    /// The DER of a test root; nil where the fingerprint is all that is known.
    public let certificate: [UInt8]?

    /// Root of the commercial AWS regions, `CN=aws.nitro-enclaves`, 2019 to 2049, 533 bytes.
    ///
    /// - Source: the AWS Nitro Enclaves user guide, which publishes this fingerprint. Other partitions have other roots.
    public static let aws = NitroRoot(fingerprint: [
        0x64, 0x1A, 0x03, 0x21, 0xA3, 0xE2, 0x44, 0xEF, 0xE4, 0x56, 0x46, 0x31, 0x95, 0xD6, 0x06, 0x31, 0x7E, 0xD7,
        0xCD, 0xCC, 0x3C, 0x17, 0x56, 0xE0, 0x98, 0x93, 0xF3, 0xC6, 0x8F, 0x79, 0xBB, 0x5B,
    ])

    /// Whether it is the root of AWS; any other is a test root.
    public var isAWS: Bool { self == .aws }

    /// Pins nothing: every document is refused.
    public static let none = NitroRoot(fingerprint: [])

    private init(fingerprint: [UInt8], certificate: [UInt8]? = nil) {
        self.fingerprint = fingerprint
        self.certificate = certificate
    }

    /// A test root; refused where it could not issue anything.
    public init(testCertificate der: [UInt8]) throws(NitroRefusal) {
        let profile = try CertificateProfile(der: der, at: "root")
        try profile.requireIssuer(issuersBelow: 0, at: "root")
        self.init(fingerprint: Hash.sha256(der), certificate: der)
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
    func pins(_ der: [UInt8]) -> Bool { Hash.sha256(der) == fingerprint }
}

extension Substring {
    fileprivate func trimmingSpaces() -> String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
