public import EnclaveRuntime
internal import FoundationEssentials

/// What a local enclave says it is.
public struct ShimIdentity: Sendable, Equatable {
    /// Runtime to state.
    public let runtime: String
    /// Measurement to state.
    public let measurement: String

    /// The identity of `dev-shim` mode from its variables, of local `remote` mode from its JSON document.
    public init(_ configuration: EnclaveConfiguration) throws(ConfigurationViolation) {
        switch configuration.mode {
        case .devShim:
            runtime = configuration.expectedRuntime
            measurement = configuration.measurement
        case .remote: self = try Self.document(configuration)
        }
        guard configuration.allowedMeasurements.contains(measurement) else {
            throw ConfigurationViolation("KMS_ALLOWED_MEASUREMENTS", "does not list this enclave's own measurement")
        }
    }

    private init(runtime: String, measurement: String) {
        self.runtime = runtime
        self.measurement = measurement
    }

    private struct Document: Decodable {
        let runtime: String
        let measurement: String
    }

    private static func document(_ configuration: EnclaveConfiguration) throws(ConfigurationViolation) -> ShimIdentity {
        let name: String
        let text: String?
        if let path = configuration.identityFile {
            name = "TEE_ATTESTATION_DOCUMENT_PATH"
            text = ConfigurationSource.text(of: path)
        } else {
            name = "TEE_ATTESTATION_DOCUMENT"
            text = configuration.identityInline
        }
        guard let text, text.utf8.count <= 64 * 1024,
            let document = try? JSONDecoder().decode(Document.self, from: Data(text.utf8)),
            !document.runtime.isEmpty, !document.measurement.isEmpty
        else { throw ConfigurationViolation(name, "must be JSON with runtime and measurement in local remote mode") }
        return ShimIdentity(runtime: document.runtime, measurement: document.measurement)
    }
}
