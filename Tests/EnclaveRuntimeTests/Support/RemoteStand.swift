import Foundation
import Glibc
import SimulatedNitro

@testable import EnclaveRuntime

/// A simulated secure module on a socket, and a client of it that soon gives up.
final class ModuleStand {
    let module: SimulatedSecureModule
    let folder: TemporaryFolder
    let path: String
    private let server: SecureModuleServer

    init(registers: [[UInt8]] = Registers.make(image: "test", instanceID: "i-0123456789abcdef0")) throws {
        module = SimulatedSecureModule(registers: registers)
        folder = try TemporaryFolder()
        path = folder.path + "/nsm.sock"
        server = try SecureModuleServer(module, path: path)
    }

    deinit { server.close() }

    func client(milliseconds: Int = 10_000) throws -> NSMClient {
        try NSMClient(path: path, milliseconds: milliseconds)
    }

    /// What the first three registers make of it.
    var measurement: String {
        module.registers[0..<3].enumerated().map { index, value in
            "pcr\(index)=" + value.map { String(format: "%02x", $0) }.joined()
        }.joined(separator: "+")
    }
}

/// Variables of a complete `enclave-runtime`.
func remoteVariables(_ overrides: [String: String] = [:]) -> [String: String] {
    testVariables(
        [
            "ALFRED_ENV": "local", "ENCLAVE_RUNTIME_MODE": "remote",
            "KMS_KEY_ID": "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef",
        ].merging(overrides) { $1 })
}

/// Variables of a complete `enclave-runtime` outside local, as its image's file holds them.
func measuredVariables(_ overrides: [String: String] = [:]) -> [String: String] {
    let hosts = [
        "oauth2.googleapis.com", "www.googleapis.com", "gmail.googleapis.com", "kms.eu-central-1.amazonaws.com",
    ]
    return remoteVariables(
        [
            "ALFRED_ENV": "production", "ENCLAVE_RUNTIME_BIND_ADDR": "vsock://5005",
            "GOOGLE_OAUTH_CLIENT_SECRET": "kms:1:AQID", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY": "kms:AQID",
            "GOOGLE_OAUTH_REDIRECT_URI": "https://api.example.test/oauth/google/callback",
            "ENCLAVE_EGRESS_ROUTES": hosts.enumerated().map { "\($1):443=vsock://3:\(8001 + $0)" }
                .joined(separator: ","),
        ].merging(overrides) { $1 })
}
