import EnclaveDevShim
import EnclaveVault
import Foundation
import LocalStack
import Sodium

/// Unwraps the data key of a local system as its enclave does, to know what must not be found elsewhere.
enum DataKeyReader {
    /// The 32 bytes of version 1, nil before the enclave made it.
    static func dataKey(of environment: StackEnvironment) throws -> [UInt8]? {
        let hex = try Tool.psql(
            "select encode(wrapped_key, 'hex') from alfred.wrapped_data_keys where key_version = 1", environment)
        guard !hex.isEmpty else { return nil }
        var wrapped: [UInt8] = []
        var rest = Substring(hex)
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            wrapped.append(byte)
            rest = rest.dropFirst(2)
        }
        let kms = try LocalKeyManagement(
            keyFile: environment.variables["KMS_LOCAL_KEY_PATH"] ?? "", measurement: "dev-local-enclave",
            allowedMeasurements: ["dev-local-enclave"])
        let key = try kms.unwrap(wrapped, keyID: "kms/local/alfred-refresh-token", version: 1)
        return key.withUnsafeBytes { Array($0) }
    }
}
