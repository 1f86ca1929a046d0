import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A certificate authority for this machine alone, kept in a folder so that a restart keeps its trust.
struct ThrowawayAuthority {
    /// PEM of the certificate, for clients to trust.
    static let certificateFile = "ca.pem"
    /// PEM of the private key, mode 0600.
    static let keyFile = "ca.key"

    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    /// Reads the authority in `folder`, or makes one there when there is none that is good for another 30 days.
    init(in folder: URL, now: Date) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        if let kept = try? Self.read(folder), kept.certificate.notValidAfter > now.addingTimeInterval(30 * 86_400) {
            self = kept
        } else {
            self = try Self.make(now: now)
            try Self.write(key.pemRepresentation, to: folder.appending(path: Self.keyFile), mode: 0o600)
            try Self.write(
                certificate.serializeAsPEM().pemString, to: folder.appending(path: Self.certificateFile), mode: 0o644)
        }
    }

    /// A TLS server for `localhost`, the loopback addresses and `hosts`, with a fresh key that stays in memory.
    func serverConfiguration(hosts: [String] = [], now: Date) throws -> TLSConfiguration {
        let serverKey = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(serverKey.publicKey)
        let loopback: [ArraySlice<UInt8>] = [[127, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]
        let names =
            (["localhost"] + hosts).map { GeneralName.dnsName($0) }
            + loopback.map { GeneralName.ipAddress(ASN1OctetString(contentBytes: $0)) }
        let leaf = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now.addingTimeInterval(-3600), notValidAfter: now.addingTimeInterval(30 * 86_400),
            issuer: certificate.subject, subject: DistinguishedName { CommonName("localhost") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names)
                AuthorityKeyIdentifier(keyIdentifier: Self.identifier(of: certificate.publicKey))
                SubjectKeyIdentifier(keyIdentifier: Self.identifier(of: publicKey))
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(leaf.serializeAsPEM().pemString.utf8))
        let privateKey = try NIOSSLPrivateKey(bytes: Array(serverKey.pemRepresentation.utf8), format: .pem)
        return TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
    }

    private init(certificate: Certificate, key: P256.Signing.PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    private static func make(now: Date) throws -> ThrowawayAuthority {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        let name = try DistinguishedName { CommonName("Alfred simulators, throw-away CA") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now.addingTimeInterval(-3600), notValidAfter: now.addingTimeInterval(365 * 86_400),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
                SubjectKeyIdentifier(keyIdentifier: identifier(of: publicKey))
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        return ThrowawayAuthority(certificate: certificate, key: key)
    }

    private static func identifier(of key: Certificate.PublicKey) -> ArraySlice<UInt8> {
        ArraySlice(SHA256.hash(data: Data(key.subjectPublicKeyInfoBytes)).prefix(20))
    }

    private static func read(_ folder: URL) throws -> ThrowawayAuthority {
        let key = try String(contentsOf: folder.appending(path: keyFile), encoding: .utf8)
        let certificate = try String(contentsOf: folder.appending(path: certificateFile), encoding: .utf8)
        let pair = ThrowawayAuthority(
            certificate: try Certificate(pemEncoded: certificate),
            key: try P256.Signing.PrivateKey(pemRepresentation: key))
        guard pair.certificate.publicKey == Certificate.PublicKey(pair.key.publicKey) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        return pair
    }

    /// Writes a whole file with its mode from the first byte on, then puts it in place.
    static func write(_ text: String, to file: URL, mode: Int) throws {
        let temporary = file.appendingPathExtension("new")
        try? FileManager.default.removeItem(at: temporary)
        guard
            FileManager.default.createFile(
                atPath: temporary.path, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
        else { throw CocoaError(.fileWriteUnknown) }
        guard rename(temporary.path, file.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
