import Foundation
import Testing

@testable import EnclaveRuntime

/// Environment × executable × everything that would weaken a check: outside local only the safe one starts.
@Suite struct GuardRailTests {
    /// `ALFRED_ENV`, which may be missing.
    static let environments: [String?] = [nil, "local", "staging", "production"]

    /// Settings that weaken a check or let a secret be seen: none of them may stand outside local.
    static let weakening: [(name: String, value: String)] = [
        ("ENCLAVE_RUNTIME_MODE", "dev-shim"), ("ENCLAVE_RUNTIME_MODE", "disabled"), ("EGRESS_CA_FILE", "/x.pem"),
        ("ENCLAVE_RUNTIME_MEASUREMENT", "dev-local-enclave"), ("ENCLAVE_CONFIG_FILE", "/tmp/other.env"),
        ("TEE_EXPECTED_RUNTIME", "dev"), ("TEE_ATTESTATION_SIGNING_PRIVATE_KEY", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="),
        ("TEE_ATTESTATION_SIGNING_PRIVATE_KEY_FILE", "/x"), ("TEE_ATTESTATION_DOCUMENT", "{}"),
        ("NSM_DEVICE_PATH", "/run/nsm.sock"), ("KMS_KEY_ID", "kms/local/alfred-refresh-token"), ("KMS_KEY_ID", ""),
        ("KMS_KEY_ID", "alias/alfred"), ("KMS_LOCAL_KEY_PATH", "/x"),
        ("KMS_ENDPOINT_URL", "https://kms.example.test"), ("KMS_ENDPOINT_URL", "https://kms.us-east-1.amazonaws.com"),
        ("KMS_ENDPOINT_URL", "http://kms.eu-central-1.amazonaws.com"),
        ("GOOGLE_OAUTH_CLIENT_SECRET", "plain"), ("GOOGLE_OAUTH_CLIENT_SECRET", "kms:"),
        ("GOOGLE_OAUTH_CLIENT_SECRET_FILE", "/x"), ("GOOGLE_OAUTH_REDIRECT_URI", "http://api.example.test/callback"),
        ("GOOGLE_OAUTH_AUTH_URL", "https://accounts.example.test/auth"),
        ("GOOGLE_OAUTH_TOKEN_URL", "https://token.example.test"),
        ("GOOGLE_OAUTH_TOKEN_URL", "http://oauth2.googleapis.com/token"),
        ("GOOGLE_OAUTH_REVOKE_URL", "https://revoke.example.test"),
        ("GOOGLE_CALENDAR_BASE_URL", "https://calendar.example.test"),
        ("GOOGLE_GMAIL_BASE_URL", "https://gmail.example.test"), ("LOG_LEVEL", "debug"), ("LOG_FORMAT", "text"),
        ("ENCLAVE_EGRESS_ROUTES", ""), ("ENCLAVE_EGRESS_ROUTES", "evil.test:443=vsock://3:8001"),
        ("DATABASE_URL", "postgres://x"), ("AWS_SECRET_ACCESS_KEY", "x"),
    ]

    private func violations(
        _ values: [String: String], _ executable: EnclaveExecutable, measured: Bool = true
    ) -> [ConfigurationViolation] {
        do throws(ConfigurationError) {
            _ = try EnclaveConfiguration(values, for: executable, measured: measured)
            return []
        } catch {
            return error.violations
        }
    }

    @Test func theSafeSettingsStartOutsideLocal() {
        #expect(violations(measuredVariables(), .remote) == [])
        #expect(violations(measuredVariables(["ALFRED_ENV": "staging"]), .remote) == [])
        #expect(violations(remoteVariables(), .remote, measured: false) == [])
    }

    @Test func outsideLocalVariablesComeFromTheMeasuredFileOnly() {
        #expect(
            violations(measuredVariables(), .remote, measured: false).map(\.variable) == ["ENCLAVE_CONFIG_FILE"])
    }

    @Test(arguments: weakening.indices)
    func nothingThatWeakensACheckStartsOutsideLocal(_ index: Int) throws {
        let (name, value) = Self.weakening[index]
        for environment in Self.environments where environment != "local" {
            for executable in [EnclaveExecutable.remote, .devShim] {
                var values = measuredVariables([name: value])
                values["ALFRED_ENV"] = environment
                let found = violations(values, executable)
                // Unset means local to the shim, whose own table is below.
                if environment == nil, executable == .devShim { continue }
                let expected = environment == nil || executable == .devShim ? "ALFRED_ENV" : name
                #expect(found.contains { $0.variable == expected }, "\(environment ?? "unset") \(name)=\(value)")
                #expect(
                    found.allSatisfy { !$0.rule.isEmpty && (!name.contains("SECRET") || !$0.rule.contains("plain")) })
            }
        }
    }

    @Test func theDevShimStartsInLocalOnlyAndTheRuntimeNeverWithoutItsEnvironment() {
        for environment in Self.environments {
            for mode in ["dev-shim", "remote", "disabled"] {
                for executable in [EnclaveExecutable.devShim, .remote] {
                    let isLocal = environment == "local" || (environment == nil && executable == .devShim)
                    var values = isLocal ? testVariables() : measuredVariables()
                    if executable == .remote { values["KMS_KEY_ID"] = remoteVariables()["KMS_KEY_ID"] }
                    values["ALFRED_ENV"] = environment
                    values["ENCLAVE_RUNTIME_MODE"] = mode
                    let mayStart =
                        switch executable {
                        case .devShim: isLocal && mode != "disabled"
                        case .remote: environment != nil && mode == "remote"
                        }
                    let found = violations(values, executable)
                    #expect(found.isEmpty == mayStart, "\(environment ?? "unset") \(mode) \(executable): \(found)")
                    if !mayStart {
                        #expect(found.contains { ["ALFRED_ENV", "ENCLAVE_RUNTIME_MODE"].contains($0.variable) })
                    }
                }
            }
        }
    }

    @Test func aPlainSecretMayBeginLikeNoCiphertext() {
        #expect(violations(remoteVariables(["GOOGLE_OAUTH_CLIENT_SECRET": "kms:!"]), .remote).count == 1)
        #expect(violations(testVariables(["GOOGLE_OAUTH_CLIENT_SECRET": "kms:1:AQID"]), .devShim).count == 1)
        #expect(violations(remoteVariables(["GOOGLE_OAUTH_CLIENT_SECRET": "kms:0:AQID"]), .remote).count == 1)
    }

    // MARK: The built executables

    @Test(arguments: ["enclave-runtime", "enclave-dev-shim"])
    func theExecutablesEndWithTwoAndSayWhy(_ name: String) throws {
        let samples: [([String: String], String)] = [
            (["ENCLAVE_RUNTIME_MODE": "dev-shim"], name == "enclave-runtime" ? "ENCLAVE_RUNTIME_MODE" : "ALFRED_ENV"),
            (["EGRESS_CA_FILE": "/x.pem"], name == "enclave-runtime" ? "EGRESS_CA_FILE" : "ALFRED_ENV"),
            (["NSM_DEVICE_PATH": "/x"], name == "enclave-runtime" ? "NSM_DEVICE_PATH" : "ALFRED_ENV"),
            ([:], name == "enclave-runtime" ? "ENCLAVE_CONFIG_FILE" : "ALFRED_ENV"),
        ]
        for environment in ["staging", "production"] {
            for (overrides, variable) in samples {
                let values = measuredVariables(["ALFRED_ENV": environment].merging(overrides) { $1 })
                let (status, text) = try Executable.run(name, values)
                #expect(status == 2)
                #expect(text.contains("enclave: \(variable): "), "\(text)")
                #expect(!text.contains("enclave_ready"))
            }
        }
        if name == "enclave-runtime" {
            var values = remoteVariables()
            values["ALFRED_ENV"] = nil
            let (status, text) = try Executable.run(name, values)
            #expect(status == 2)
            #expect(text.contains("enclave: ALFRED_ENV: "))
        }
    }
}

/// The executables that were built with these tests.
enum Executable {
    static func url(_ name: String) -> URL {
        let beside = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
        if FileManager.default.fileExists(atPath: beside.appending(path: name).path) {
            return beside.appending(path: name)
        }
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appending(path: ".build/debug").appending(path: name)
    }

    static func start(_ name: String, _ variables: [String: String], errors: Pipe) throws -> Process {
        let process = Process()
        process.executableURL = url(name)
        process.environment = variables
        // No `.env` of the checkout.
        process.currentDirectoryURL = URL(filePath: "/")
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs an executable that ends by itself; its status and what it said.
    static func run(_ name: String, _ variables: [String: String]) throws -> (status: Int32, text: String) {
        let errors = Pipe()
        let process = try start(name, variables, errors: errors)
        let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }
}
