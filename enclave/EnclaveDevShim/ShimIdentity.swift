public import EnclaveRuntime

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
        case .remote:
            guard let stated = try StatedIdentity.read(configuration) else {
                throw ConfigurationViolation("TEE_ATTESTATION_DOCUMENT", "is required in local remote mode")
            }
            runtime = stated.runtime
            measurement = stated.measurement
        }
        guard configuration.allowedMeasurements.contains(measurement) else {
            throw ConfigurationViolation("KMS_ALLOWED_MEASUREMENTS", "does not list this enclave's own measurement")
        }
    }
}
