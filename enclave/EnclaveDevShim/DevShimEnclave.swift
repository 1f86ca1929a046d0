internal import AttestedSession
internal import EnclaveRuntime

/// `enclave-dev-shim`: the local enclave, with an identity that proves nothing and a KMS in a file.
public enum DevShimEnclave {
    /// Runs the process; returns its exit status.
    public static func main() -> Int32 {
        Hardening.resetFatalSignals()
        let started = MonotonicInstant.now
        Hardening.apply()
        guard let configuration = EnclaveProcess.configure(.devShim) else { return 2 }
        let log = Log(level: configuration.logLevel, json: configuration.logsJSON)
        guard EnclaveProcess.prepare(configuration, log) else { return 1 }
        do throws(ConfigurationViolation) {
            let identity = try ShimIdentity(configuration)
            if configuration.mode == .remote, configuration.signingSeed == nil {
                throw ConfigurationViolation("TEE_ATTESTATION_SIGNING_PRIVATE_KEY", "is required in remote mode")
            }
            let evidence = try ShimEvidence(identity: identity, seed: configuration.signingSeed)
            return EnclaveProcess.serve(
                configuration, evidence: evidence, kms: try keyManagement(configuration, identity), log: log,
                since: started, isDevShim: configuration.mode == .devShim)
        } catch {
            EnclaveProcess.complain("\(error)")
            return 2
        }
    }

    private static func keyManagement(
        _ configuration: EnclaveConfiguration, _ identity: ShimIdentity
    ) throws(ConfigurationViolation) -> LocalKeyManagement {
        guard configuration.keyID.hasPrefix(LocalKeyManagement.keyIDPrefix) else {
            throw ConfigurationViolation("KMS_KEY_ID", "must be kms/local/<name> for enclave-dev-shim")
        }
        do throws(LocalKeyManagementError) {
            return try LocalKeyManagement(
                keyFile: configuration.localKeyFile, measurement: identity.measurement,
                allowedMeasurements: Set(configuration.allowedMeasurements))
        } catch {
            throw switch error {
            case .measurementNotAllowed:
                ConfigurationViolation("KMS_ALLOWED_MEASUREMENTS", "does not list this enclave's own measurement")
            default:
                ConfigurationViolation(
                    "KMS_LOCAL_KEY_PATH", "must be a file of this user, mode 0600, holding base64 of 32 bytes")
            }
        }
    }
}
