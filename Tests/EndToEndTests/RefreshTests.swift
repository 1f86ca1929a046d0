import EnclaveClient
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// Refreshes: one at a time, never lost, whatever becomes of the caller.
    @Suite struct RefreshTests {
        @Test(.timeLimit(.minutes(3))) func thousandConcurrentUsesCauseOneRefresh() async throws {
            try await withConnectedStack("thousand", ["ENCLAVE_USER_GOOGLE_PER_MINUTE": "100000"]) { stack, control in
                try await stack.kill9(.enclave)
                try await stack.start(.enclave)
                try await InProcessHost.with(stack) { host async throws in
                    for attempt in ["a fresh enclave", "expired access tokens"] {
                        try await control.resetCalls()
                        let statuses = await withTaskGroup(of: UInt16?.self) { group in
                            for _ in 0..<1000 { group.addTask { try? await host.readCalendar() } }
                            return await group.reduce(into: [UInt16?: Int]()) { $0[$1, default: 0] += 1 }
                        }
                        #expect(statuses == [200: 1000], "\(attempt)")
                        #expect(try await control.count(of: .refresh) == 1, "\(attempt)")
                        try await control.expireAccessTokens()
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func c15_the121stReadOfAUserInAMinuteIsOverloaded() async throws {
            try await withConnectedStack("limit") { stack, _ in
                try await InProcessHost.with(stack) { host async throws in
                    for _ in 0..<120 { #expect(try await host.readCalendar() == 200) }
                    await #expect(throws: EnclaveCallError.failed(EnclaveFailure(.overloaded))) {
                        try await host.readCalendar()
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func c12_aCallerThatCancelsOrTimesOutInMidRefreshLosesNothing() async throws {
            try await withConnectedStack("abandoned") { stack, control in
                try await control.setRotation(.strict)
                try await InProcessHost.with(stack) { host async throws in
                    for round in ["cancelled", "timed out"] {
                        try await control.expireAccessTokens()
                        try await control.setFault(Fault(.refresh, latencyMilliseconds: 1500, times: 1))
                        let before = try await control.count(of: .refresh)
                        if round == "cancelled" {
                            let call = Task { try await host.readCalendar() }
                            _ = try await eventually("the refresh reached Google") {
                                try await control.count(of: .refresh) > before ? true : nil
                            }
                            call.cancel()
                            _ = await call.result
                        } else {
                            _ = try? await host.readCalendar(within: .milliseconds(700))
                        }
                        // Under strict rotation the old token is dead: only the rotated one, stored meanwhile, can serve.
                        #expect(try await host.readCalendar() == 200, "\(round)")
                        #expect(try await control.count(of: .refresh) == before + 1, "\(round)")
                    }
                }
                // The same with a session that ends: the host of the call is gone while Google still works.
                try await control.expireAccessTokens()
                try await control.setFault(Fault(.refresh, latencyMilliseconds: 1500, times: 1))
                let before = try await control.count(of: .refresh)
                try await InProcessHost.with(stack) { host async throws in
                    let call = Task { try await host.readCalendar() }
                    _ = try await eventually("the refresh reached Google") {
                        try await control.count(of: .refresh) > before ? true : nil
                    }
                    call.cancel()
                }
                try await InProcessHost.with(stack) { host async throws in
                    #expect(try await host.readCalendar() == 200, "after the session ended")
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func aRotationWhoseAnswerIsLostEndsInReconnectRequiredNotInAHang() async throws {
            try await withConnectedStack("lost-rotation") { stack, control in
                try await control.setRotation(.strict)
                try await control.expireAccessTokens()
                try await control.setFault(Fault(.refresh, effect: .reset, moment: .afterwards, times: 1))
                try await InProcessHost.with(stack) { host async throws in
                    await #expect(throws: EnclaveCallError.self) { try await host.readCalendar() }
                    await #expect(throws: EnclaveCallError.failed(EnclaveFailure(.reconnectRequired))) {
                        try await host.readCalendar()
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func aRotationWhoseAnswerIsLostCostsNothingUnderGrace() async throws {
            try await withConnectedStack("grace") { stack, control in
                try await control.setRotation(.grace)
                try await control.expireAccessTokens()
                try await control.setFault(Fault(.refresh, effect: .reset, moment: .afterwards, times: 1))
                try await InProcessHost.with(stack) { host async throws in
                    await #expect(throws: EnclaveCallError.self) { try await host.readCalendar() }
                    #expect(try await host.readCalendar() == 200)
                }
            }
        }
    }
}

/// A system without API and worker running jobs of its own, with one connected user.
func withConnectedStack(
    _ name: String, _ overrides: [String: String] = [:], isRemote: Bool = false,
    _ body: (LocalStack, SimulatorControl) async throws -> Void
) async throws {
    try await withStack(
        name,
        {
            $0.overrides = overrides
            $0.isRemote = isRemote
        }
    ) { stack in
        let control = try await stack.control
        try await control.setConsent(ConsentPolicy(account: "ada@example.com"))
        let phone = try await stack.phone(subject: "user_ada")
        let answer = try await phone.connectGoogle()
        #expect(answer.status == 200)
        try await body(stack, control)
    }
}
