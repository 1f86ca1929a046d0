internal import Sodium
internal import Synchronization

/// Evidence of an enclave: an Ed25519 signature, and a document of the secure module that commits to the same bytes.
public final class NitroEvidence: EvidenceSource {
    public let runtime = NitroIdentity.runtime
    public let measurement: String
    private let module: any SecureModule
    private let configured: ConfiguredSecret?
    private let log: Log
    /// The key made at boot; the configured one, if there is one, takes its place once KMS has opened it.
    private let current = Mutex(EvidenceSigner(Ed25519.SigningKey()))

    /// Evidence of what the module says this enclave is.
    init(_ identity: NitroIdentity, module: any SecureModule, signingSeed: ConfiguredSecret?, log: Log) {
        measurement = identity.measurement
        self.module = module
        configured = signingSeed
        self.log = log
    }

    public var signer: EvidenceSigner? { current.withLock { $0 } }

    public func open() {
        guard let seed = configured?.current else { return }
        guard let signer = EvidenceSigner(seed: seed) else { return log.write(.error, .signingKeyUnusable) }
        current.withLock { $0 = signer }
    }

    /// For a peer: never with a key, and with user data that no document for KMS has.
    public func attestationDocument(nonce: [UInt8], userData: [UInt8]) throws(EvidenceError) -> [UInt8]? {
        precondition(userData.count == Hash.sha512Bytes, "user data of evidence is a SHA-512")
        do throws(SecureModuleError) {
            return try module.attest(userData: userData, nonce: nonce, publicKey: nil)
        } catch {
            log.write(.error, .secureModule("\(error)"))
            throw .moduleUnavailable
        }
    }
}
