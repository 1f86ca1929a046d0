import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    @Suite struct StoryTests {
        @Test(.timeLimit(.minutes(2))) func theWholeStoryHolds() async throws {
            try await withStack("story") { stack in
                for step in try await Story(on: stack).steps {
                    do { _ = try await step.run() } catch { throw StackError("\(step.title): \(error)") }
                }
                let control = try await stack.control
                #expect(try await control.count(of: .exchange) == 1)
                #expect(try await control.count(of: .revoke) == 1)
                #expect(try await control.count(of: .endpointPush) == 3)
            }
        }

        @Test(.timeLimit(.minutes(2))) func theStoryHoldsWithAPNsItself() async throws {
            let sender = PushSender(topic: "app.alfred.test")
            try await withStack("story-direct", { $0.directPush = sender }) { stack in
                let control = try await stack.control
                try await control.setProvider(sender.provider)
                for step in try await Story(on: stack).stepsWithoutBrief {
                    do { _ = try await step.run() } catch { throw StackError("\(step.title): \(error)") }
                }
                let deliveries = try await control.deliveries()
                #expect(!deliveries.isEmpty)
                #expect(deliveries.allSatisfy { $0.route == .direct && $0.environment == .sandbox && $0.count == 1 })
                #expect(try await control.count(of: .endpointPush) == 0)
            }
        }

        @Test(.timeLimit(.minutes(2))) func everyProcessEndsWithStatusZeroOnSIGTERM() async throws {
            try await withStack("drain") { stack in
                for component in [Component.worker, .api, .enclave, .simulators] {
                    let status = try await stack.process(component).stop()
                    #expect(status == 0, "\(component.rawValue)")
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func hostsDoNotStartWithoutAVerifiedEnclave() async throws {
            let settings = StackSettings.forTest("no-enclave")
            let stack = LocalStack(settings)
            do {
                try await stack.prepare()
                try await stack.start(.simulators)
                for component in [Component.api, .worker] {
                    try await stack.launch(component, extra: ["ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "1"])
                    let process = try await stack.process(component)
                    #expect(await process.waitForExit(within: .seconds(20)) == 1, "\(component.rawValue)")
                    #expect(process.logTail().contains("enclave"), "\(component.rawValue)")
                }
                // An enclave that signs with another key than the hosts were told.
                try await stack.start(.enclave)
                let other = Data((0..<32).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
                for component in [Component.api, .worker] {
                    try await stack.launch(
                        component,
                        extra: ["ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "1", "TEE_ATTESTATION_PUBLIC_KEY": other])
                    let process = try await stack.process(component)
                    #expect(await process.waitForExit(within: .seconds(20)) == 1, "\(component.rawValue)")
                    #expect(process.logTail().contains("InvalidAttestationSignature"), "\(component.rawValue)")
                }
                await stack.remove()
            } catch {
                await stack.remove()
                throw error
            }
        }
    }
}
