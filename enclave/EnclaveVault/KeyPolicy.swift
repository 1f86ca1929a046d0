internal import EnclaveProtocol
internal import Sodium

/// Which data keys this enclave may use: measured configuration, never taken from a host.
public struct KeyPolicy: Sendable, Equatable {
    /// Most versions that may be opened besides the active one.
    public static let maximumDecryptVersions = Limits.maximumDecryptVersions
    /// Longest key id in bytes.
    public static let maximumKeyIDBytes = 256

    /// `KMS_KEY_ID`, bound into every sealed value.
    public let keyID: String
    /// `KMS_KEY_VERSION`: seals and opens.
    public let activeVersion: UInt32
    /// `KMS_DECRYPT_KEY_VERSIONS`: open only, during a rotation.
    public let decryptVersions: [UInt32]
    /// What the sealed header says instead of the key id.
    let keyIDHash: [UInt8]

    /// A policy; nil when a version is out of 1...2147483647, listed twice or active too, or the id is empty or too long.
    public init?(keyID: String, activeVersion: UInt32, decryptVersions: [UInt32] = []) {
        let versions = [activeVersion] + decryptVersions
        guard (1...Self.maximumKeyIDBytes).contains(keyID.utf8.count),
            decryptVersions.count <= Self.maximumDecryptVersions,
            versions.allSatisfy({ (1...0x7FFF_FFFF).contains($0) }),
            Set(versions).count == versions.count
        else { return nil }
        self.keyID = keyID
        self.activeVersion = activeVersion
        self.decryptVersions = decryptVersions
        self.keyIDHash = Array(Hash.sha256(Array(keyID.utf8)).prefix(SealedHeader.keyIDHashBytes))
    }

    /// Whether a value sealed under `version` may be opened.
    public func mayOpen(_ version: UInt32) -> Bool {
        version == activeVersion || decryptVersions.contains(version)
    }
}
