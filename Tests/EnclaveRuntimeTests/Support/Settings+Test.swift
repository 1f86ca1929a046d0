import Foundation
import Sodium

@testable import EnclaveRuntime

/// Variables of a complete local enclave; tests override single ones.
func testVariables(_ overrides: [String: String] = [:]) -> [String: String] {
    let hostKey = X25519.PrivateKey().publicKey
    let base = [
        "ENCLAVE_RPC_ALLOWED_CLIENTS": "api:\(Base64.encode(hostKey))",
        "GOOGLE_OAUTH_CLIENT_ID": "client-1", "GOOGLE_OAUTH_CLIENT_SECRET": "s3cret/value",
        "GOOGLE_OAUTH_REDIRECT_URI": "http://127.0.0.1:8080/oauth/google/callback",
        "ENCLAVE_RUNTIME_BIND_ADDR": "127.0.0.1:0",
    ]
    return base.merging(overrides) { $1 }
}

func testConfiguration(_ overrides: [String: String] = [:]) throws -> EnclaveConfiguration {
    try EnclaveConfiguration(testVariables(overrides), for: .devShim)
}

/// A folder that is removed with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "alfred-enclave-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let file = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }
}
