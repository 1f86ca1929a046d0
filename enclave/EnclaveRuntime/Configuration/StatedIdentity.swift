internal import FoundationEssentials

/// An identity as configuration states it: JSON with `runtime` and `measurement`.
///
/// Under Nitro it only pins what the secure module must say; the local shim has no other identity in `remote` mode.
public struct StatedIdentity: Decodable, Equatable, Sendable {
    /// Runtime to state, or that must be.
    public let runtime: String
    /// Measurement to state, or that must be.
    public let measurement: String

    /// What `TEE_ATTESTATION_DOCUMENT_PATH`, else `TEE_ATTESTATION_DOCUMENT` says; nil when neither is set.
    public static func read(_ configuration: EnclaveConfiguration) throws(ConfigurationViolation) -> StatedIdentity? {
        let name = variable(configuration)
        let text: String?
        if let path = configuration.identityFile {
            text = ConfigurationSource.text(of: path)
        } else if let inline = configuration.identityInline {
            text = inline
        } else {
            return nil
        }
        guard let text, text.utf8.count <= 64 * 1024,
            let stated = try? JSONDecoder().decode(StatedIdentity.self, from: Data(text.utf8)),
            !stated.runtime.isEmpty, !stated.measurement.isEmpty
        else { throw ConfigurationViolation(name, "must be JSON with runtime and measurement") }
        return stated
    }

    /// Name of the variable that states it.
    static func variable(_ configuration: EnclaveConfiguration) -> String {
        configuration.identityFile == nil ? "TEE_ATTESTATION_DOCUMENT" : "TEE_ATTESTATION_DOCUMENT_PATH"
    }
}
