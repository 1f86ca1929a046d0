import Foundation
import Glibc
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// Nothing secret is ever outside the enclave: not in host memory, environment, logs, metrics, databases or on the wire.
    @Suite struct CanaryTests {
        @Test(.timeLimit(.minutes(4))) func c1_noSecretIsEverOutsideTheEnclave() async throws {
            try await withStack("canary", { $0.recordsWire = true }) { stack in
                _ = try await searchThroughTheStory(stack)
            }
        }

        /// The same with `enclave-runtime` itself, which dies in the middle and gets its keys a second time.
        @Test(.timeLimit(.minutes(4))) func c1_noSecretIsEverOutsideTheEnclaveInRemoteMode() async throws {
            try await withStack(
                "canary-remote",
                {
                    $0.recordsWire = true
                    $0.isRemote = true
                }
            ) { stack in
                let control = try await stack.control
                let secrets = try await searchThroughTheStory(stack) { step in
                    guard step == "connects Google" else { return }
                    let before = try await control.count(of: .kmsDecrypt)
                    try await stack.kill9(.enclave)
                    try await stack.start(.enclave)
                    _ = try await eventually("the hosts have handed over anew", within: .seconds(40)) { () -> Bool? in
                        try await stack.challengeEnclave().status == "ok" ? true : nil
                    }
                    #expect(try await control.count(of: .kmsDecrypt) >= before + 2, "client secret, attestation key")
                }
                let environment = try #require(await stack.environment)
                #expect(
                    try Tool.psql("select count(*) from alfred.wrapped_data_keys", environment) == "1",
                    "the enclave that came back opened what the one before had sealed")
                // The search finds them where they are; and the hosts hold credentials, which are no secret from them.
                let inside = secrets.filter {
                    ["client secret (text)", "attestation key", "data key"].contains($0.name)
                }
                let enclave = try await stack.process(.enclave)
                for secret in inside {
                    let (hits, bytes) = try CanarySearch([secret]).find(inProcess: enclave.pid)
                    #expect(
                        hits.contains { $0.hasPrefix(secret.name) },
                        "\(secret.name) is not among \(bytes) bytes of the enclave")
                }
                let credentials = try await control.issuedSecrets().filter { $0.kind == .awsSecret }
                let host = try CanarySearch(credentials.map { Canary("AWS secret key", $0.value) })
                let api = try await stack.process(.api)
                #expect(try !credentials.isEmpty && host.find(inProcess: api.pid).hits.contains { $0.hasPrefix("AWS") })
                try await searchFilesAndServers(stack, host)
            }
        }

        /// An enclave with another image, on the same instance with the same secrets in its configuration.
        @Test(.timeLimit(.minutes(2))) func hostsHandNothingToAnotherImage() async throws {
            try await withPreparedStack("another-image", { $0.isRemote = true }) { stack in
                try await stack.start(.simulators)
                let environment = try #require(await stack.environment)
                let control = try await stack.control
                try await control.putSecureModule(
                    SecureModuleSettings(socket: environment.secureModule, image: "evil"))
                let other = try #require(try await control.secureModules().first).measurement
                // In local an enclave compares itself; this one was told to be satisfied.
                try await stack.launch(.enclave, extra: ["KMS_ALLOWED_MEASUREMENTS": other])
                try await stack.ready(.enclave)
                for component in [Component.api, .worker] {
                    try await stack.launch(component, extra: ["ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "1"])
                    let process = try await stack.process(component)
                    #expect(await process.waitForExit(within: .seconds(20)) == 1, "\(component.rawValue)")
                    #expect(process.logTail().contains("MeasurementNotAllowed"), "\(component.rawValue)")
                }
                #expect(try await control.count(of: .kmsGenerateDataKey) == 0)
                #expect(try await control.count(of: .kmsDecrypt) == 0)
            }
        }

        /// Tells the story and searches after each step and at the end; `after` is what else happens between the steps.
        ///
        /// - Returns: the secrets that were looked for.
        private func searchThroughTheStory(
            _ stack: LocalStack, after: (String) async throws -> Void = { _ in }
        ) async throws -> [Canary] {
            let control = try await stack.control
            let search = MemorySearch(stack)
            var dataKey: [UInt8]?
            for step in try await Story(on: stack).steps {
                if step.title == "has a meeting in 15 minutes" {
                    // The scan then meets a 401 and refreshes, so that the refresh token is used too.
                    try await control.expireAccessTokens()
                }
                _ = try await step.run()
                try await search.stopAndSearch(
                    after: step.title, for: try await Self.canaries(of: stack, &dataKey))
                try await after(step.title)
            }
            let canaries = try await Self.canaries(of: stack, &dataKey)
            #expect(canaries.contains { $0.name == "data key" })
            try await confirmUse(control)
            try await search.stopAndSearch(after: "the story", for: canaries)
            try await searchFilesAndServers(stack, CanarySearch(canaries))
            try await search.findOwnControl(try await control.issuedSecrets())
            return canaries
        }

        /// The secrets: keys from their files, the data key unwrapped from the database, the rest as Google saw them.
        private static func canaries(of stack: LocalStack, _ dataKey: inout [UInt8]?) async throws -> [Canary] {
            let environment = try #require(await stack.environment)
            var canaries: [Canary] = []
            func key(_ name: String, _ file: String) throws {
                let text = try String(contentsOfFile: environment.keyFile(file), encoding: .utf8).trimmingCharacters(
                    in: .whitespacesAndNewlines)
                canaries.append(Canary("\(name) (text)", text))
                if let data = Data(base64Encoded: text), data.count == 32 {
                    canaries.append(Canary(name, Array(data)))
                }
            }
            try key("client secret", "google-client-secret.key")
            try key("attestation key", "attestation.key")
            try key("KMS key", "kms.key")
            for secret in try await stack.control.issuedSecrets() {
                switch secret.kind {
                case .refreshToken, .accessToken, .codeVerifier:
                    canaries.append(Canary("\(secret.kind)", secret.value))
                case .clientSecret, .authorizationCode, .pushBearer, .awsSecret: break
                }
            }
            if dataKey == nil { dataKey = try await DataKeyReader.dataKey(of: stack, environment) }
            if let dataKey { canaries.append(Canary("data key", dataKey)) }
            return canaries
        }

        private func confirmUse(_ control: SimulatorControl) async throws {
            let secrets = try await control.issuedSecrets()
            for kind in [SecretKind.refreshToken, .accessToken, .clientSecret, .codeVerifier] {
                #expect(secrets.contains { $0.kind == kind && $0.seen > 0 }, "Google was never called with a \(kind)")
            }
        }

        private func searchFilesAndServers(_ stack: LocalStack, _ search: CanarySearch) async throws {
            let environment = try #require(await stack.environment)
            let logs = stack.settings.state.appending(path: "logs")
            for name in try FileManager.default.contentsOfDirectory(atPath: logs.path) {
                let data = try Data(contentsOf: logs.appending(path: name))
                #expect(search.find(in: data) == nil, "\(name)")
            }
            for port in [environment.ports.apiMetrics, environment.ports.workerMetrics] {
                let text = try await Phone.text("http://127.0.0.1:\(port)/metrics")
                #expect(text.contains("alfred_"))
                #expect(search.find(in: Data(text.utf8)) == nil)
            }
            let wire = try #require(await stack.relay).captured
            #expect(wire.count > 10_000, "the relay saw the sessions")
            #expect(search.find(in: wire) == nil, "on the wire")
            let postgres = try Tool.dumpPostgres(environment)
            let redis = try Tool.dumpRedis(environment, in: stack.settings.state)
            #expect(postgres.count > 10_000 && redis.count > 100)
            #expect(search.find(in: postgres) == nil, "Postgres")
            #expect(search.find(in: redis) == nil, "Redis")
        }
    }
}

/// Stops api-server and worker and reads their memory.
struct MemorySearch {
    let stack: LocalStack

    init(_ stack: LocalStack) { self.stack = stack }

    func stopAndSearch(after step: String, for canaries: [Canary]) async throws {
        let search = try CanarySearch(canaries)
        for component in [Component.api, .worker] {
            let process = try await stack.process(component)
            process.send(SIGSTOP)
            defer { process.send(SIGCONT) }
            let (hits, bytes) = try search.find(inProcess: process.pid)
            #expect(hits.isEmpty, "\(component.rawValue) after “\(step)”: \(hits)")
            #expect(bytes > 5_000_000, "\(component.rawValue): only \(bytes) bytes were readable")
        }
    }

    /// The search itself works: the OAuth code, which passes through api-server, is found there.
    func findOwnControl(_ secrets: [SecretRecord]) async throws {
        let code = try #require(secrets.first { $0.kind == .authorizationCode && $0.seen > 0 })
        let search = try CanarySearch([Canary("OAuth code", code.value)])
        let (hits, _) = try search.find(inProcess: try await stack.process(.api).pid)
        #expect(
            hits.contains { $0.hasPrefix("OAuth code") },
            "the code passed through api-server and must be found in its memory")
    }
}
