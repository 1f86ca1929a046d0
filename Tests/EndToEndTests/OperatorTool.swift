import Foundation
import LocalStack

extension LocalStack {
    /// Exit status and output of `alfredctl` with the operator's key and rights.
    func operate(_ arguments: [String]) async throws -> (status: Int32?, output: String) {
        let environment = try known
        var variables = environment.operatorVariables
        variables["DATABASE_URL"] = environment.operatorDatabaseURL
        // The simulators' certificates are needed for calls alone, and are not there before their start.
        for name in ["EGRESS_CA_FILE", "TEE_NITRO_ROOT_CERT_PATH"] {
            guard let file = variables[name], !FileManager.default.fileExists(atPath: file) else { continue }
            variables[name] = nil
        }
        let process = try ManagedProcess(
            name: "alfredctl", executable: settings.products.appending(path: "alfredctl"), arguments: arguments,
            environment: variables, folder: settings.state,
            log: settings.state.appending(path: "logs/alfredctl-\(UUID().uuidString).log"))
        let status = await process.waitForExit(within: .seconds(30))
        return (status, process.logTail(50))
    }
}
