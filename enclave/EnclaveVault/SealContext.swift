internal import EnclaveProtocol

/// What a sealed value is bound to: it opens under exactly the same context.
struct SealContext {
    let purpose: DataPurpose
    let owner: UserID
    let recordID: String
    var provider: String?
    let recordVersion: UInt64

    /// Deterministic CBOR: [format version, purpose, owner, record id, provider or null, record version, key id,
    /// key version].
    func associatedData(keyID: String, keyVersion: UInt32) -> [UInt8] {
        var writer = CBORWriter(capacity: 192)
        writer.array(8)
        writer.unsigned(UInt64(SealedHeader.formatVersion))
        writer.text(purpose.rawValue)
        writer.uuid(owner.uuid)
        writer.text(recordID)
        writer.optionalText(provider)
        writer.unsigned(recordVersion)
        writer.text(keyID)
        writer.unsigned(UInt64(keyVersion))
        return writer.bytes
    }

    /// Context of the derivation of the keys of one seal.
    var derivationInfo: [UInt8] { Array(("alfred/seal/1" + purpose.rawValue).utf8) }
}

extension SealContext {
    /// The only provider there is; bound into every connector's record.
    static let google = "google"

    static func connector(_ connector: ConnectorID, of user: UserID, recordVersion: UInt64) -> SealContext {
        SealContext(
            purpose: .connectorRefreshToken, owner: user, recordID: connector.uuid.lowercased, provider: google,
            recordVersion: recordVersion)
    }

    static func verifier(_ state: OAuthStateID, of user: UserID) -> SealContext {
        SealContext(purpose: .oauthPKCEVerifier, owner: user, recordID: state.uuid.lowercased, recordVersion: 0)
    }
}
