import Foundation

/// What a verified document of a recipient states.
struct KMSRecipient: Sendable {
    /// How old a document may be.
    static let maximumAge: TimeInterval = 300

    /// Registers by number, 48 bytes each.
    var registers: [Int: [UInt8]]
    /// DER SubjectPublicKeyInfo.
    var publicKey: [UInt8]

    /// Verifies `document` as the service does: form, chain to its root, signature, age.
    ///
    /// - Throws: what the service answers to a document that it does not accept.
    init(document: [UInt8], root: [UInt8]?, now: Date) throws(KMSError) {
        throw .validation("The attestation document cannot be verified")
    }
}
