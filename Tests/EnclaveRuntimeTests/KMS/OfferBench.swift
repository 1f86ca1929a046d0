import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// A key service over a fake KMS that accepts nothing yet, and what a test asks of it.
struct OfferBench {
    let bench: KMSBench
    let opened = Mutex2(0)

    init() throws { bench = try KMSBench(accepts: nil) }

    func service(_ overrides: [String: String] = [:]) throws -> (AWSKeyService, EnclaveConfiguration) {
        let configuration = try EnclaveConfiguration(
            testVariables(
                ["ENCLAVE_RUNTIME_MODE": "remote", "ALFRED_ENV": "local", "KMS_KEY_ID": keyARN].merging(overrides) {
                    $1
                }
            ), for: .remote)
        let service = AWSKeyService(configuration, kms: bench.client)
        let opened = self.opened
        service.begin { opened.value.withLock { $0 += 1 } }
        return (service, configuration)
    }

    var accepted: String? { bench.client.sets.withLock { $0.accepted?.accessKeyID } }

    func allow(_ names: String...) { bench.kms.state.withLock { $0.allowed = Set(names) } }

    func encrypted(_ text: String, _ name: String, version: UInt32? = nil) -> [UInt8] {
        var context = ["purpose": name]
        if let version { context["version"] = String(version) }
        return bench.kms.encrypt(Array(text.utf8), context)
    }

    func clientSecret(_ configuration: EnclaveConfiguration) -> String? {
        configuration.google.clientSecret.current.map { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }
}
