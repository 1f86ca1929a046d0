/// What is wrong with a Nitro document; the names appear in logs and in the operator's command.
public enum NitroFault: String, CaseIterable, Sendable {
    case tooLarge = "TooLarge"
    case notCOSESign1 = "NotCOSESign1"
    case protectedHeader = "ProtectedHeader"
    case unprotectedHeader = "UnprotectedHeader"
    case signatureForm = "SignatureForm"

    case malformedPayload = "MalformedPayload"
    case fieldMissing = "FieldMissing"
    case fieldTwice = "FieldTwice"
    case fieldUnknown = "FieldUnknown"
    case fieldValue = "FieldValue"
    case otherKindOfDocument = "OtherKindOfDocument"

    case rootNotPinned = "RootNotPinned"
    case certificateEncoding = "CertificateEncoding"
    case certificateAlgorithm = "CertificateAlgorithm"
    case certificateKey = "CertificateKey"
    case certificateExtension = "CertificateExtension"
    case notAnIssuer = "NotAnIssuer"
    case pathTooLong = "PathTooLong"
    case keyUsage = "KeyUsage"
    case leafIsIssuer = "LeafIsIssuer"
    case nameChaining = "NameChaining"
    case keyIdentifier = "KeyIdentifier"
    case notYetValid = "NotYetValid"
    case expired = "Expired"
    case certificateSignature = "CertificateSignature"

    case documentSignature = "DocumentSignature"
    case timestamp = "Timestamp"

    /// Whether the certificates are at fault rather than the document.
    public var concernsChain: Bool {
        switch self {
        case .rootNotPinned, .certificateEncoding, .certificateAlgorithm, .certificateKey, .certificateExtension,
            .notAnIssuer, .pathTooLong, .keyUsage, .leafIsIssuer, .nameChaining, .keyIdentifier, .notYetValid,
            .expired, .certificateSignature:
            true
        default: false
        }
    }
}

/// The first thing found wrong with a Nitro document: what, where, and what was expected and found instead.
public struct NitroRefusal: Error, Equatable, Sendable {
    /// What is wrong.
    public let fault: NitroFault
    /// Where: `payload`, `pcrs[16]`, `cabundle[2]`, `certificate` and the like.
    public let place: String
    /// Printable ASCII, no secret.
    public let expected: String
    /// Printable ASCII, at most 256 characters.
    public let found: String

    init(_ fault: NitroFault, at place: String, expected: String, found: String) {
        self.fault = fault
        self.place = printable(place)
        self.expected = printable(expected)
        self.found = printable(found)
    }
}
