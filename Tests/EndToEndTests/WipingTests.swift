import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// What the enclave no longer needs is no longer in it, in libcurl's and OpenSSL's memory neither.
    @Suite struct WipingTests {
        @Test(.timeLimit(.minutes(2))) func noTokenIsLeftInTheEnclaveAfterARevocation() async throws {
            try await withStack("wiping") { stack in
                let control = try await stack.control
                let steps = try await Story(on: stack).stepsWithoutBrief
                for step in steps.dropLast() {
                    if step.title == "has a meeting in 15 minutes" { try await control.expireAccessTokens() }
                    _ = try await step.run()
                }
                let enclave = try await stack.process(.enclave).pid
                let cached = try await tokens([.accessToken], control)
                #expect(
                    try CanarySearch(cached).find(inProcess: enclave).hits.isEmpty == false,
                    "the search works: the access token in use is found")

                _ = try await steps.last?.run()
                let used = try await tokens([.accessToken, .refreshToken, .codeVerifier], control)
                #expect(used.count >= 3, "an access token, a refresh token and a code verifier")
                let (hits, bytes) = try CanarySearch(used).find(inProcess: enclave)
                #expect(hits.isEmpty)
                #expect(bytes > 5_000_000)
            }
        }

        /// What Google has seen of these kinds.
        private func tokens(_ kinds: Set<SecretKind>, _ control: SimulatorControl) async throws -> [Canary] {
            try await control.issuedSecrets().filter { kinds.contains($0.kind) && $0.seen > 0 }
                .map { Canary("\($0.kind)", $0.value) }
        }
    }
}
