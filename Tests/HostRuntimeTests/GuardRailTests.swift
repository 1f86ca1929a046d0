import Foundation
import HostRuntime
import Testing

/// Environment × mode × everything that would weaken a check, for the processes of the host.
@Suite struct GuardRailTests {
    /// `ALFRED_ENV`; nil: unset, which means local.
    static let environments: [String?] = [nil, "local", "staging", "production"]

    /// Settings that weaken the check of the enclave, and whether they may stand in local.
    static let weakening: [(name: String, value: String, inLocal: Bool)] = [
        ("ENCLAVE_RUNTIME_MODE", "dev-shim", true), ("ENCLAVE_RUNTIME_MODE", "disabled", true),
        ("TEE_ATTESTATION_REQUIRED", "false", true), ("TEE_ATTESTATION_REQUIRED", "0", true),
        ("TEE_ALLOW_INSECURE_DEV_ATTESTATION", "true", true), ("TEE_ALLOW_INSECURE_DEV_ATTESTATION", "yes", true),
        ("TEE_EXPECTED_RUNTIME", "dev", true), ("TEE_ALLOWED_MEASUREMENTS", "dev-local-enclave", true),
        ("TEE_ALLOWED_MEASUREMENTS", "any@dev-local-enclave", true), ("TEE_ALLOWED_MEASUREMENTS", " ", false),
        ("TEE_ALLOWED_MEASUREMENTS", ",", false), ("TEE_ALLOWED_MEASUREMENTS", zero, true),
        ("KMS_ALLOWED_MEASUREMENTS", "dev-local-enclave", true), ("KMS_ALLOWED_MEASUREMENTS", " ", false),
        ("KMS_ALLOWED_MEASUREMENTS", zero, true), ("TEE_NITRO_ROOT_CERT_PATH", "root.pem", true),
        ("EGRESS_CA_FILE", "root.pem", true), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", true),
        ("CLERK_ISSUER", "http://clerk.test", true), ("LOG_LEVEL", "debug", true),
        ("REDIS_URL", "redis://redis.test:6379", true), ("DATABASE_URL", "postgres://db.test/alfred", true),
    ]

    /// A release whose registers are all zero: every enclave in debug mode.
    static let zero = (0...2).map { "pcr\($0)=" + String(repeating: "0", count: 96) }.joined(separator: "+")
    private static let root = """
        -----BEGIN CERTIFICATE-----
        \(Data([0x30, 0x09, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22, 0x05, 0x00]).base64EncodedString())
        -----END CERTIFICATE-----

        """

    private func start(_ environment: String?, _ name: String, _ value: String) throws -> Start {
        let isLocal = environment == nil || environment == "local"
        let start =
            isLocal
            ? try Start(["ALFRED_ENV": environment, name: value])
            : try Start.production(["ALFRED_ENV": environment, name: value])
        try start.folder.write(Self.root, to: "root.pem")
        return start
    }

    @Test(arguments: weakening.indices)
    func nothingThatWeakensACheckStartsOutsideLocal(_ index: Int) throws {
        let (name, value, inLocal) = Self.weakening[index]
        for environment in Self.environments {
            let start = try start(environment, name, value)
            let isLocal = environment == nil || environment == "local"
            let label = "\(environment ?? "unset") \(name)=\(value)"
            #expect(start.refused() == (isLocal && inLocal ? [] : [name]), "\(label)")
            for violation in start.apiViolations() { #expect(!violation.rule.isEmpty, "\(label)") }
        }
    }

    @Test func theSafeSettingsStartEverywhere() throws {
        for environment in Self.environments {
            let isLocal = environment == nil || environment == "local"
            #expect(try start(environment, "ENCLAVE_RUNTIME_MODE", isLocal ? "dev-shim" : "remote").refused() == [])
            #expect(try start(environment, "TEE_ATTESTATION_REQUIRED", "true").refused() == [])
        }
    }

    // MARK: The built executables

    /// One sample for each kind of rule; the second is what the process refuses besides.
    @Test(arguments: ["api-server", "worker", "alfredctl"], ["staging", "production"])
    func theExecutablesEndWithTwoAndSayWhy(_ name: String, _ environment: String) throws {
        let samples = [
            ("ENCLAVE_RUNTIME_MODE", "disabled"), ("TEE_ATTESTATION_REQUIRED", "false"),
            ("TEE_ALLOW_INSECURE_DEV_ATTESTATION", "true"), ("TEE_NITRO_ROOT_CERT_PATH", "root.pem"),
            ("TEE_ALLOWED_MEASUREMENTS", "dev-local-enclave"),
        ]
        for (variable, value) in samples {
            let start = try start(environment, variable, value)
            let process = Process()
            process.executableURL = Self.executable(name)
            process.arguments = name == "alfredctl" ? ["keys", "rewrap", "--to", "2"] : []
            process.currentDirectoryURL = URL(filePath: start.folder.path)
            process.environment = start.variables.filter {
                name != "alfredctl" || !["REDIS_URL", "OPENROUTER_API_KEY"].contains($0.key)
            }
            let output = Pipe()
            process.standardError = output
            process.standardOutput = output
            process.standardInput = FileHandle.nullDevice
            try process.run()
            let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 2, "\(text)")
            #expect(text.contains("\(variable): "), "\(text)")
            #expect(!text.contains("started"), "\(text)")
        }
    }

    private static func executable(_ name: String) -> URL {
        let beside = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
            .appending(path: name)
        if FileManager.default.fileExists(atPath: beside.path) { return beside }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: ".build/debug").appending(path: name)
    }
}
