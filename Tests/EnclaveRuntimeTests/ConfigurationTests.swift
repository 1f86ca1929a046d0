import AttestedSession
import EnclaveProtocol
import Sodium
import Testing

@testable import EnclaveRuntime

@Suite struct ConfigurationTests {
    private func violations(
        _ overrides: [String: String], _ executable: EnclaveExecutable = .devShim
    ) -> Set<String> {
        do throws(ConfigurationError) {
            _ = try EnclaveConfiguration(testVariables(overrides), for: executable)
            return []
        } catch {
            return Set(error.violations.map(\.variable))
        }
    }

    @Test func takesDefaultsFromFewVariables() throws {
        let configuration = try testConfiguration()
        #expect(configuration.environment == .local)
        #expect(configuration.mode == .devShim)
        #expect(configuration.measurement == "dev-local-enclave")
        #expect(configuration.maximumInFlight == 256)
        #expect(configuration.googlePerMinute == 120)
        #expect(configuration.google.tokenURL.origin == "oauth2.googleapis.com:443")
        #expect(configuration.clients.values.first == .api)
    }

    @Test func namesEveryBrokenRuleAndNoValue() throws {
        let overrides = [
            "ENCLAVE_RPC_MAX_SESSIONS": "many-9", "GOOGLE_OAUTH_TOKEN_URL": "ftp://zzz-value", "LOG_LEVEL": "zzz-value",
            "KMS_KEY_ID": "alias/zzz-value",
        ]
        do throws(ConfigurationError) {
            _ = try EnclaveConfiguration(testVariables(overrides), for: .devShim)
            Issue.record("accepted")
        } catch {
            #expect(Set(error.violations.map(\.variable)) == Set(overrides.keys))
            #expect(
                !error.violations.contains { $0.description.contains("zzz-value") || $0.description.contains("many-9") }
            )
        }
    }

    @Test(arguments: [
        ["ENCLAVE_RPC_ALLOWED_CLIENTS": ""],
        ["ENCLAVE_RPC_ALLOWED_CLIENTS": "api"],
        ["ENCLAVE_RPC_ALLOWED_CLIENTS": "root:\(Base64.encode([UInt8](repeating: 9, count: 32)))"],
        ["ENCLAVE_RPC_ALLOWED_CLIENTS": "api:\(Base64.encode([UInt8](repeating: 0, count: 32)))"],
        ["ENCLAVE_RPC_ALLOWED_CLIENTS": "api:\(Base64.encode([UInt8](repeating: 9, count: 31)))"],
    ])
    func refusesBadHostKeys(_ overrides: [String: String]) {
        #expect(violations(overrides) == ["ENCLAVE_RPC_ALLOWED_CLIENTS"])
    }

    @Test func refusesAHostKeyInTwoRoles() {
        let key = Base64.encode(X25519.PrivateKey().publicKey)
        #expect(
            violations(["ENCLAVE_RPC_ALLOWED_CLIENTS": "api:\(key),worker:\(key)"]) == ["ENCLAVE_RPC_ALLOWED_CLIENTS"])
    }

    @Test(arguments: [
        ("ENCLAVE_RUNTIME_MODE", "disabled"), ("ENCLAVE_RUNTIME_BIND_ADDR", "localhost"),
        ("TEE_ATTESTATION_MAX_AGE_SECONDS", "0"), ("GOOGLE_REQUEST_TIMEOUT_MS", "30001"),
        ("KMS_DECRYPT_KEY_VERSIONS", "1"), ("KMS_DECRYPT_KEY_VERSIONS", "2,2"), ("KMS_ALLOWED_MEASUREMENTS", " "),
        ("GOOGLE_CALENDAR_BASE_URL", "http://127.0.0.1:9"), ("GOOGLE_OAUTH_REDIRECT_URI", "alfred://x"),
        ("GOOGLE_OAUTH_REVOKE_URL", "https://user@host/x"),
        ("ENCLAVE_EGRESS_ROUTES", "evil.test:443=tcp://127.0.0.1:1"),
        ("ENCLAVE_EGRESS_ROUTES", "oauth2.googleapis.com:443=unix:///x"), ("GOOGLE_OAUTH_CLIENT_ID", "a b"),
    ])
    func refuses(_ name: String, _ value: String) {
        #expect(violations([name: value]) == [name])
    }

    @Test func outsideLocalOnlyTheMeasuredFormsStand() {
        let found = violations(
            ["ALFRED_ENV": "production", "EGRESS_CA_FILE": "/x", "NSM_DEVICE_PATH": "/y", "LOG_LEVEL": "debug"], .remote
        )
        for name in [
            "EGRESS_CA_FILE", "NSM_DEVICE_PATH", "LOG_LEVEL", "KMS_KEY_ID", "GOOGLE_OAUTH_CLIENT_SECRET",
            "GOOGLE_OAUTH_REDIRECT_URI", "ENCLAVE_EGRESS_ROUTES",
        ] {
            #expect(found.contains(name), "\(name)")
        }
    }

    @Test func eachExecutableKeepsToItsMode() {
        #expect(violations(["ALFRED_ENV": "staging"]).contains("ALFRED_ENV"))
        #expect(violations([:], .remote).contains("ALFRED_ENV"))
        #expect(
            violations(remoteVariables(["ENCLAVE_RUNTIME_MODE": "dev-shim"]), .remote) == ["ENCLAVE_RUNTIME_MODE"]
        )
    }

    @Test func readsSecretsFromPrivateFilesOnly() throws {
        let folder = try TemporaryFolder()
        let name = "GOOGLE_OAUTH_CLIENT_SECRET"
        let good = try folder.write("good", "  from-file\n")
        let configuration = try testConfiguration([name: "", "\(name)_FILE": good])
        let secret = try #require(configuration.google.clientSecret.current)
        #expect(unsafe secret.withUnsafeBytes { unsafe Array($0) } == Array("from-file".utf8))
        #expect(violations(["\(name)_FILE": good]) == [name])
        let open = try folder.write("open", "x", mode: 0o640)
        #expect(violations([name: "", "\(name)_FILE": open]) == ["\(name)_FILE"])
        #expect(violations([name: "", "\(name)_FILE": try folder.write("empty", " \n")]) == ["\(name)_FILE"])
        #expect(violations([name: "", "\(name)_FILE": folder.path + "/none"]) == ["\(name)_FILE"])
    }

    @Test func theRealEnvironmentWinsOverDotEnv() throws {
        let merged = try ConfigurationSource.merged(
            real: ["A": "real", "B": " "], dotEnv: "# note\nA=file\nexport B=\"quoted\"\nC='c'\n\nALFRED_ENV=local\n")
        #expect(merged == ["A": "real", "B": "quoted", "C": "c", "ALFRED_ENV": "local"])
    }

    @Test(arguments: ["ALFRED_ENV=production", "GOOGLE_OAUTH_CLIENT_SECRET=x", "nonsense"])
    func refusesInDotEnv(_ line: String) {
        #expect(throws: ConfigurationError.self) { try ConfigurationSource.merged(real: [:], dotEnv: line) }
    }

    @Test func seesMisspeltVariables() throws {
        let configuration = try testConfiguration(["ENCLAVE_RPC_MAX_SESSION": "3", "ENCLAVE_RUNTIME_BASE_URL": "x"])
        #expect(configuration.unknownVariables == ["ENCLAVE_RPC_MAX_SESSION"])
    }

    @Test func logsFixedFieldsAsJSON() {
        let line = Log.jsonLine(
            .info, .call(method: "google.get", role: "api", result: "ok", milliseconds: 7), "r\"1")
        #expect(line.hasSuffix("\"latency_ms\":7}"))
        #expect(line.contains("\"request_id\":\"r\\\"1\""))
        #expect(line.hasPrefix("{\"ts\":\"20"))
    }
}
