/// An identity as configuration states it: JSON with `runtime` and `measurement`.
///
/// Under Nitro it only pins what the secure module must say; the local shim has no other identity in `remote` mode.
public struct StatedIdentity: Equatable, Sendable {
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
            let stated = StatedIdentity(json: text), !stated.runtime.isEmpty, !stated.measurement.isEmpty
        else { throw ConfigurationViolation(name, "must be JSON with runtime and measurement") }
        return stated
    }

    private init?(json text: String) {
        var text = text
        var runtime: String?
        var measurement: String?
        let isComplete = text.withUTF8 { text in
            let bytes = UnsafeRawBufferPointer(text)
            return unsafe JSONMembers.scan(bytes) { name, value in
                guard case .text(let range) = value else { return }
                if unsafe bytes.holds("runtime", at: name) { runtime = unsafe bytes.text(at: range) }
                if unsafe bytes.holds("measurement", at: name) { measurement = unsafe bytes.text(at: range) }
            }
        }
        guard isComplete, let runtime, let measurement else { return nil }
        self.runtime = runtime
        self.measurement = measurement
    }

    /// Name of the variable that states it.
    static func variable(_ configuration: EnclaveConfiguration) -> String {
        configuration.identityFile == nil ? "TEE_ATTESTATION_DOCUMENT" : "TEE_ATTESTATION_DOCUMENT_PATH"
    }
}
