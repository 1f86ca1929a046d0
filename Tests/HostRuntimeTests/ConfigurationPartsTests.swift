import Foundation
import HostRuntime
import Testing

@Suite struct ConfigurationPartsTests {
    @Test func theKeyFileIsNotReadWhenTheEnclaveIsDisabled() throws {
        let changes: [String: String?] = ["ENCLAVE_RUNTIME_MODE": "disabled", "ENCLAVE_RPC_CLIENT_KEY_PATH": "missing"]
        let enclave = try Start(changes).api().enclave
        #expect(enclave.mode == .disabled && enclave.clientKeyPath == nil)
    }

    @Test func theHostKeyMustBeForItsOwnerAlone() throws {
        let start = try Start()
        try start.folder.write(keyText, to: ".local/keys/api.key", mode: 0o644)
        #expect(start.apiViolations().map(\.variable) == ["ENCLAVE_RPC_CLIENT_KEY_PATH"])
    }

    @Test func insecureDevelopmentNeedsNoPublicKey() throws {
        let start = try Start(["TEE_ATTESTATION_PUBLIC_KEY": nil, "TEE_ALLOW_INSECURE_DEV_ATTESTATION": "on"])
        #expect(try start.api().attestation.allowsInsecureDevelopment)
        #expect(try Start(["TEE_ATTESTATION_PUBLIC_KEY": nil, "ENCLAVE_RUNTIME_MODE": "remote"]).refused() == [])
    }

    @Test func nitroMeasurementsHaveTheirThreeRegisters() {
        let upper = nitroMeasurement.replacingOccurrences(of: "a", with: "A")
        let zero = "pcr0=" + String(repeating: "0", count: 96) + nitroMeasurement.dropFirst(101)
        let further = nitroMeasurement + "+pcr8=" + String(repeating: "0", count: 96)
        let twice = nitroMeasurement + "+pcr2=" + String(repeating: "b", count: 96)
        #expect(AllowedMeasurement(nitroMeasurement, nitro: true) != nil)
        #expect(AllowedMeasurement("v1@" + further, nitro: true)?.name == "v1")
        for text in [
            upper, zero, twice, String(nitroMeasurement.dropLast()), "dev-local-enclave", "", "v 1@" + further,
        ] {
            #expect(AllowedMeasurement(text, nitro: true) == nil, "\(text)")
        }
    }

    @Test func theKeySetComesFromTheFirstOfThreePlaces() throws {
        func source(_ changes: [String: String?]) throws -> String {
            switch try Start(changes).api().api.clerk.keySource {
            case .open(let url): url.text
            case .backend(let url, let secret): url.text + " " + secret.withValue { $0 }
            }
        }
        let backend: [String: String?] = ["CLERK_BACKEND_API_URL": "https://api.test/v1", "CLERK_SECRET_KEY": "k"]
        #expect(try source([:]) == "https://clerk.test/.well-known/jwks.json")
        #expect(try source(backend) == "https://api.test/v1/jwks k")
        #expect(try source(backend.merging(["CLERK_JWKS_URL": "https://keys.test"]) { $1 }) == "https://keys.test")
        #expect(try Start(["CLERK_BACKEND_API_URL": "https://api.test/v1"]).refused() == ["CLERK_SECRET_KEY"])
    }

    @Test func freshnessOfTheKeySetHasBounds() throws {
        let low = try Start(["CLERK_JWKS_CACHE_DEFAULT_TTL_SECONDS": "1"]).api().api.clerk
        let high = try Start(["CLERK_JWKS_CACHE_DEFAULT_TTL_SECONDS": "86400"]).api().api.clerk
        #expect(low.defaultFreshness == .seconds(60) && high.defaultFreshness == .seconds(3600))
    }

    /// PKCS #8 with the identifiers of P-256 around a made-up key.
    private var p8: String {
        let algorithm: [UInt8] = [
            0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
            0x03, 0x01, 0x07,
        ]
        let der = Data([0x30, 0x41, 0x02, 0x01, 0x00] + algorithm + [UInt8](repeating: 7, count: 60))
        return "-----BEGIN PRIVATE KEY-----\n\(der.base64EncodedString())\n-----END PRIVATE KEY-----"
    }

    @Test func directPushTakesAllFourVariables() throws {
        let three: [String: String?] = ["APNS_KEY_ID": "ABCDEFGH12", "APNS_TEAM_ID": "ABCDEFGH34", "APNS_TOPIC": "a.b"]
        let escaped = p8.replacingOccurrences(of: "\n", with: "\\n")
        let direct = try Start(three.merging(["APNS_AUTH_KEY_P8": escaped]) { $1 }).worker().push.direct
        #expect(direct?.key.withValue { $0 } == p8)
        let base64 = Data(p8.utf8).base64EncodedString()
        #expect(try Start(three.merging(["APNS_AUTH_KEY_P8_BASE64": base64]) { $1 }).worker().push.direct != nil)
        let inFile = try Start(three.merging(["APNS_AUTH_KEY_P8_PATH": "apns.p8"]) { $1 })
        try inFile.folder.write(p8, to: "apns.p8")
        #expect(try inFile.worker().push.direct != nil)
        try inFile.folder.write(p8, to: "apns.p8", mode: 0o644)
        #expect(inFile.refused() == ["APNS_AUTH_KEY_P8_PATH"])
        #expect(try Start(three).refused() == ["APNS_AUTH_KEY_P8"])
        #expect(try Start(["APNS_AUTH_KEY_P8": escaped]).refused() == ["APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"])
        #expect(try Start(three.merging(["APNS_AUTH_KEY_P8": "canary"]) { $1 }).refused() == ["APNS_AUTH_KEY_P8"])
        let two: [String: String?] = ["APNS_AUTH_KEY_P8": escaped, "APNS_AUTH_KEY_P8_BASE64": base64]
        #expect(try Start(three.merging(two) { $1 }).refused() == ["APNS_AUTH_KEY_P8_BASE64"])
    }

    @Test func theOperatorReadsWhatItsCommandNeeds() throws {
        let start = try Start(["CLERK_ISSUER": nil])
        let configuration = OperatorConfiguration(start.load(.operator))
        let database = try configuration.forDatabase()
        #expect(database.database.maximumConnections == 2)
        #expect(try configuration.forEnclave().enclave.clientKeyPath?.hasSuffix("operator.key") == true)
        let replaced = OperatorConfiguration(try Start(["MIGRATIONS_DIR": "."]).load(.operator))
        let error = #expect(throws: ConfigurationError.self) { try replaced.forDatabase() }
        #expect(error?.violations.map(\.variable) == ["MIGRATIONS_DIR"])
    }

    @Test func urlsAreTakenApart() {
        let redis = RedisURL("rediss://user:p%40ss@[::1]:6380/4")
        #expect(redis?.transport == .tcp(host: "::1", port: 6380, tls: true))
        #expect(redis?.username == "user" && redis?.database == 4)
        #expect(redis?.password?.withValue { $0 } == "p@ss")
        #expect(DatabaseURL("postgres://u:p@h1:1,h2/a%20b?sslmode=verify-full")?.databaseName == "a b")
        #expect(ServiceURL("HTTPS://Host.Test:8443/a/")?.text == "HTTPS://Host.Test:8443/a")
        #expect(ServiceURL("https://[::1]:8443/a")?.host == "::1")
        #expect(EnclaveEndpoint("http://127.0.0.1:8181")?.description == "tcp://127.0.0.1:8181")
    }

    @Test func networksContainTheirAddresses() throws {
        let block = try #require(IPNetwork("10.1.0.0/15"))
        #expect(try block.contains(#require(IPAddress("10.0.255.255"))))
        #expect(try !block.contains(#require(IPAddress("10.2.0.0"))))
        #expect(try block.contains(#require(IPAddress("::ffff:10.1.2.3"))))
        #expect(try #require(IPNetwork("fd00::/8")).contains(#require(IPAddress("fdff::1"))))
        for text in ["10.0.0.0/+8", "10.0.0.0/", "10.0.0", "", "::1%lo"] { #expect(IPNetwork(text) == nil) }
    }
}
