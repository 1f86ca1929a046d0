import AttestationVerifier
import Foundation

/// What a verified document of a recipient states.
struct KMSRecipient: Sendable {
    /// How old a document may be, in seconds.
    static let maximumAge: TimeInterval = 300
    /// How far ahead of the service's clock it may be, in seconds.
    static let skew: TimeInterval = 30

    /// Registers by number, 48 bytes each.
    let registers: [Int: [UInt8]]
    /// DER SubjectPublicKeyInfo.
    let publicKey: [UInt8]

    /// Verifies `document` as the service does: form, chain to its root, signature, age, a public key.
    ///
    /// Nonce and user data mean nothing to it: a document is good for any request while it is young.
    ///
    /// - Throws: what the service answers to a document that it does not accept.
    init(document: [UInt8], root: [UInt8]?, now: Date) throws(KMSError) {
        guard let root, let trusted = try? NitroRoot(testCertificate: root) else {
            throw .validation("The attestation document cannot be verified: no root is trusted")
        }
        let read: NitroDocument
        do throws(NitroRefusal) {
            read = try NitroDocument(parsing: document)
            _ = try NitroChainVerifier(root: trusted).verify(read, at: UInt64(max(0, now.timeIntervalSince1970)))
        } catch {
            throw .validation("The attestation document is not valid: \(error.fault.rawValue) at \(error.place)")
        }
        let age = now.timeIntervalSince1970 - Double(read.timestampMilliseconds) / 1000
        guard age <= Self.maximumAge, age >= -Self.skew else {
            throw .validation("The attestation document is too old")
        }
        guard let publicKey = read.publicKey, !publicKey.isEmpty else {
            throw .validation("The attestation document has no public key")
        }
        registers = read.registers
        self.publicKey = publicKey
    }
}
