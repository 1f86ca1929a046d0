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
                let control = try await stack.control
                let search = MemorySearch(stack)
                for step in try await Story(on: stack).steps {
                    if step.title == "has a meeting in 15 minutes" {
                        // The scan then meets a 401 and refreshes, so that the refresh token is used too.
                        try await control.expireAccessTokens()
                    }
                    _ = try await step.run()
                    try await search.stopAndSearch(after: step.title, for: try await Self.canaries(of: stack))
                }
                let canaries = try await Self.canaries(of: stack)
                #expect(canaries.contains { $0.name == "data key" })
                try await confirmUse(control)
                try await search.stopAndSearch(after: "the story", for: canaries)
                try await searchFilesAndServers(stack, CanarySearch(canaries))
                try await search.findOwnControl(try await control.issuedSecrets())
            }
        }

        /// The secrets: keys from their files, the data key unwrapped from the database, the rest as Google saw them.
        static func canaries(of stack: LocalStack) async throws -> [Canary] {
            let environment = try #require(await stack.environment)
            var canaries: [Canary] = []
            func key(_ name: String, _ variable: String) throws {
                let file = try #require(environment.variables[variable])
                let text = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(
                    in: .whitespacesAndNewlines)
                canaries.append(Canary("\(name) (text)", text))
                if let data = Data(base64Encoded: text), data.count == 32 {
                    canaries.append(Canary(name, Array(data)))
                }
            }
            try key("client secret", "GOOGLE_OAUTH_CLIENT_SECRET_FILE")
            try key("attestation key", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY_FILE")
            try key("KMS key", "KMS_LOCAL_KEY_PATH")
            for secret in try await stack.control.issuedSecrets() {
                switch secret.kind {
                case .refreshToken, .accessToken, .codeVerifier:
                    canaries.append(Canary("\(secret.kind)", secret.value))
                case .clientSecret, .authorizationCode, .pushBearer, .awsSecret: break
                }
            }
            if let dataKey = try DataKeyReader.dataKey(of: environment) {
                canaries.append(Canary("data key", dataKey))
            }
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
        #expect(!hits.isEmpty, "the code passed through api-server and must be found in its memory")
    }
}
