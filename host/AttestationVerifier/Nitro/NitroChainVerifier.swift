internal import EnclaveProtocol
internal import Synchronization

/// A document that was signed in a Nitro secure module, under the root of the verifier that made it.
///
/// That and no more: it may be old, of a debug enclave, of anybody's image, and answer another challenge. Only
/// `Verifier` says that a policy is satisfied.
public struct AuthenticNitroDocument: Sendable {
    /// The document.
    public let document: NitroDocument
    /// Unix seconds from which the chain counts no longer.
    public let chainValidUntil: UInt64
}

/// Checks who signed a document: its chain to a pinned root, and its signature.
///
/// Thread safe. Links that were verified once are remembered (bounded), so that a second document of the same enclave
/// costs one signature check; what certificates say, validity above all, is judged anew each time.
public final class NitroChainVerifier: Sendable {
    /// How far a secure module's clock may be ahead, in seconds.
    public static let skewSeconds = Limits.clockLeewaySeconds

    private let root: NitroRoot
    /// Read once; nil where nothing is trusted.
    private let rootCertificate: SignedCertificate?
    private let links: LinkCache
    private let checksMade = Atomic(0)

    /// A verifier that trusts `root` alone and remembers so many certificates below it: by default of a hundred enclaves,
    /// each with a leaf of its own under three issuers.
    public init(root: NitroRoot = .aws, rememberedLinks: Int = 512) {
        self.root = root
        rootCertificate = try? SignedCertificate(der: root.certificate, at: "root")
        links = LinkCache(capacity: rememberedLinks)
    }

    /// Number of certificates that are remembered.
    public var rememberedLinks: Int { links.count }

    /// Signatures that were checked since the beginning.
    public var signatureChecks: Int { checksMade.load(ordering: .relaxed) }

    /// The same document, if its chain is valid at `now` (unix seconds) and its signature is right.
    ///
    /// A leaf certificate begins seconds before its document: start dates are judged at the later of `now` and the
    /// document's time, which may be `skewSeconds` ahead. End dates are judged at that time too: never widened.
    public func verify(_ document: NitroDocument, at now: UInt64) throws(NitroRefusal) -> AuthenticNitroDocument {
        let timestamp = document.timestamp
        let latest = now.addingClamped(Self.skewSeconds)
        let chain = try Chain(document, root: root, rootCertificate, links: links)
        let validUntil = try chain.check(at: max(now, min(timestamp, latest)))
        try chain.checkSignatures(rememberingIn: links) { checksMade.add(1, ordering: .relaxed) }
        checksMade.add(1, ordering: .relaxed)
        guard
            chain.leaf.verifies(
                P384.derSignature(document.signature),
                of: COSESign1.signedPrefix(payloadCount: document.payload.count), document.payload)
        else {
            throw NitroRefusal(
                .documentSignature, at: "signature", expected: "by the key of the certificate",
                found: "of another key, or of other bytes")
        }
        let validity = chain.leaf.profile
        guard timestamp <= latest, validity.notBefore <= timestamp, timestamp <= validity.notAfter else {
            throw NitroRefusal(
                .timestamp, at: "timestamp",
                expected: "\(validity.notBefore) to \(min(validity.notAfter, latest))", found: "\(timestamp)")
        }
        return AuthenticNitroDocument(document: document, chainValidUntil: validUntil)
    }

    /// The same at the document's own time: for documents that were kept. It says nothing about the present.
    public func verifyAtItsOwnTime(_ document: NitroDocument) throws(NitroRefusal) -> AuthenticNitroDocument {
        try verify(document, at: document.timestamp)
    }
}
