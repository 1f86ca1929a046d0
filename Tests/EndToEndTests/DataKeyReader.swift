import EnclaveDevShim
import EnclaveProtocol
import EnclaveRuntime
import EnclaveVault
import Foundation
import LocalStack
import SimulatorKit
import Sodium

/// Unwraps the data key of a local system as its enclave does, to know what must not be found elsewhere.
enum DataKeyReader {
    /// The 32 bytes of version 1, nil before the enclave made it.
    static func dataKey(of stack: LocalStack, _ environment: StackEnvironment) async throws -> [UInt8]? {
        let hex = try Tool.psql(
            "select encode(wrapped_key, 'hex') from alfred.wrapped_data_keys where key_version = 1", environment)
        guard !hex.isEmpty else { return nil }
        var wrapped: [UInt8] = []
        var rest = Substring(hex)
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            wrapped.append(byte)
            rest = rest.dropFirst(2)
        }
        if stack.settings.isRemote { return try await attested(wrapped, stack, environment) }
        let kms = try LocalKeyManagement(
            keyFile: environment.variables["KMS_LOCAL_KEY_PATH"] ?? "", measurement: "dev-local-enclave",
            allowedMeasurements: ["dev-local-enclave"])
        let key = try kms.unwrap(wrapped, keyID: "kms/local/alfred-refresh-token", version: 1)
        return key.withUnsafeBytes { Array($0) }
    }

    /// Asks the simulated KMS with a document of the enclave's own secure module, which here anybody can reach.
    private static func attested(
        _ wrapped: [UInt8], _ stack: LocalStack, _ environment: StackEnvironment
    ) async throws -> [UInt8] {
        let role = AWSCredentialSet.random(principal: KMSSettings.parentRole)
        try await stack.control.addAWSCredentials(role)
        let configuration = try EnclaveConfiguration(environment.variables(for: .enclave), for: .remote)
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let module = try NSMClient(path: configuration.nsmDevice)
                        let log = Log(level: .error, json: true)
                        guard let kms = AWSKeyService(configuration, module: module, log: log) else {
                            throw StackError("no key service")
                        }
                        let set = KMSCredentials(
                            accessKeyID: role.accessKeyID, secretAccessKey: Array(role.secretAccessKey.utf8),
                            sessionToken: role.sessionToken.map { Array($0.utf8) })
                        _ = try kms.offer(set, session: 1)
                        let key = try kms.unwrap(wrapped, keyID: KMSSettings.keyARN, version: 1)
                        return key.withUnsafeBytes { Array($0) }
                    })
            }
        }
    }
}
