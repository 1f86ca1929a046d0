import Foundation
import HostRuntime
import Testing

@Suite struct LocalKeysTests {
    private func localKeys(_ folder: Folder, _ arguments: [String]? = nil) throws -> (status: Int32, output: String) {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments =
            [root.appendingPathComponent("scripts/local-keys").path]
            + (arguments ?? ["--dir", folder.path + "/keys", "--env-file", folder.path + "/.env"])
        process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"]
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    private func text(_ folder: Folder, _ name: String) throws -> String {
        try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8)
    }

    @Test func makesWhatALocalStartNeedsAndKeepsItSecret() throws {
        let folder = try Folder()
        let made = try localKeys(folder)
        #expect(made.status == 0)
        let environment = try text(folder, ".env")
        for name in ["api", "worker", "operator", "attestation", "kms"] {
            let path = folder.path + "/keys/\(name).key"
            try SecretFile.checkKey(at: path, count: 32)
            let secret = try text(folder, "keys/\(name).key")
            #expect(!made.output.contains(secret) && !environment.contains(secret))
        }
        #expect(try SecretFile.text(at: folder.path + "/keys/google-client-secret.key").withValue { $0.count } > 32)
        let values = DotEnv.parse(environment).values
        #expect(values["ENCLAVE_RPC_ALLOWED_CLIENTS"]?.split(separator: ",").count == 3)
        #expect(Data(base64Encoded: values["TEE_ATTESTATION_PUBLIC_KEY"] ?? "")?.count == 32)
        for row in EnvironmentCatalogue.rows where row.belongsToEnclaveAlone { #expect(values[row.name] == nil) }
        let loaded = EnvironmentSource.load(
            process: .api,
            environment: localVariables.merging(
                ["TEE_ATTESTATION_PUBLIC_KEY": "", "ENCLAVE_RPC_CLIENT_KEY_PATH": "keys/api.key"]) { $1 },
            directory: folder.path)
        #expect(try APIServerConfiguration(loaded).attestation.publicKeys.count == 1)
    }

    @Test func aSecondRunChangesNothing() throws {
        let folder = try Folder()
        try folder.write("LOG_LEVEL=warn\nTEE_ATTESTATION_PUBLIC_KEY=mine", to: ".env")
        #expect(try localKeys(folder).status == 0)
        let environment = try text(folder, ".env")
        let key = try text(folder, "keys/api.key")
        #expect(environment.hasPrefix("LOG_LEVEL=warn\nTEE_ATTESTATION_PUBLIC_KEY=mine\n"))
        #expect(try localKeys(folder).status == 0)
        #expect(try text(folder, ".env") == environment)
        #expect(try text(folder, "keys/api.key") == key)
    }

    @Test func refusesArgumentsItDoesNotKnow() throws {
        let folder = try Folder()
        #expect(try localKeys(folder, ["--what"]).status == 2)
        #expect(try localKeys(folder, ["--dir"]).status == 2)
    }
}
