import Foundation
import SimulatorKit

extension StackEnvironment {
    /// Longest path of a Unix socket, with room to spare.
    private static let longestSocket = 100

    /// A socket in the folder of the system, or elsewhere where that is too deep.
    static func secureModule(in state: URL) -> String {
        let path = state.appending(path: "nsm.sock").path
        guard path.utf8.count > longestSocket else { return path }
        return FileManager.default.temporaryDirectory.appending(path: "nsm-\(UUID().uuidString).sock").path
    }

    /// `variables` of an enclave with secure module and KMS: no key file and no secret in the clear is among them.
    static func remote(
        _ variables: [String: String], _ ports: PortSet, _ secureModule: String, _ state: URL
    ) -> [String: String] {
        var variables = variables
        for name in [
            "GOOGLE_OAUTH_CLIENT_SECRET_FILE", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY_FILE", "KMS_LOCAL_KEY_PATH",
        ] { variables[name] = nil }
        return variables.merging([
            "ENCLAVE_RUNTIME_MODE": "remote",
            "NSM_DEVICE_PATH": secureModule,
            "TEE_NITRO_ROOT_CERT_PATH": state.appending(path: "simulators/nitro-root.pem").path,
            "KMS_KEY_ID": KMSSettings.keyARN,
            "ENCLAVE_EGRESS_ROUTES":
                "kms.\(KMSSettings.region).amazonaws.com:443=tcp://127.0.0.1:\(ports.kms)",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:\(ports.metadata)",
        ]) { _, new in new }
    }
}
