import EnclaveClient
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// kill -9 in the middle of a rotation, at a Google that takes the old refresh token back at once.
    ///
    /// What Google answered to an enclave that died is lost, and nobody can know it: the user is asked to connect again.
    @Suite struct DyingRotationTests {
        @Test(.timeLimit(.minutes(3))) func underStrictRotationADeathCostsAReconnectAtMostAndNeverAHang() async throws {
            try await withConnectedStack("strict", ["ENCLAVE_USER_GOOGLE_PER_MINUTE": "10000"]) { stack, control in
                try await control.setRotation(.strict)
                let rotation = DyingRotation(stack: stack, control: control)
                #expect(try await rotation.death(of: "enclave", whileGoogle: .hasDoneNothing) == .served)
                #expect(try await rotation.death(of: "enclave", whileGoogle: .hasRotated) == .reconnectRequired)
                var outcomes: [String: Int] = [:]
                for victim in ["enclave", "postgres", "enclave", "postgres", "enclave", "enclave"] {
                    outcomes[try await rotation.death(of: victim, whileGoogle: .isUnderWay).rawValue, default: 0] += 1
                }
                print("note: kill -9 at random moments of a strict rotation: \(outcomes)")
            }
        }
    }
}

/// A read of the calendar that has to refresh, and dies on the way.
private struct DyingRotation {
    enum Outcome: String { case served, reconnectRequired }
    enum Progress { case hasDoneNothing, hasRotated, isUnderWay }

    let stack: LocalStack
    let control: SimulatorControl

    /// What the next read ends in, once everything is up again; a connector that Google no longer takes is told to its
    /// user, who connects again.
    func death(of victim: String, whileGoogle progress: Progress) async throws -> Outcome {
        try await control.expireAccessTokens()
        try await control.clearFaults()
        switch progress {
        case .hasDoneNothing: try await control.setFault(Fault(.refresh, effect: .hang, moment: .before, times: 1))
        case .hasRotated: try await control.setFault(Fault(.refresh, effect: .hang, moment: .afterwards, times: 1))
        case .isUnderWay: break
        }
        let (calls, tokens) = (try await control.count(of: .refresh), try await issued())
        let outcome = try await InProcessHost.with(stack) { host async throws -> Outcome in
            let call = Task { try? await host.readCalendar() }
            switch progress {
            case .hasDoneNothing:
                _ = try await eventually("the refresh reached Google") {
                    try await control.count(of: .refresh) > calls ? true : nil
                }
            case .hasRotated:
                _ = try await eventually("Google rotated") { try await issued() > tokens ? true : nil }
            case .isUnderWay: try await Task.sleep(for: .milliseconds(.random(in: 0...40)))
            }
            try await kill(victim)
            _ = await call.value
            return try await eventually("an answer after the death of \(victim)", within: .seconds(40)) {
                do {
                    return try await host.readCalendar(within: .seconds(10)) == 200 ? .served : nil
                } catch EnclaveCallError.failed(EnclaveFailure(.reconnectRequired)) {
                    return .reconnectRequired
                }
            }
        }
        if outcome == .reconnectRequired { try await connectAgain() }
        return outcome
    }

    private func kill(_ victim: String) async throws {
        if victim == "enclave" {
            try await stack.kill9(.enclave)
            try await stack.start(.enclave)
        } else {
            try await stack.infra("kill-\(victim)")
            try await stack.infra("start-\(victim)")
        }
    }

    private func connectAgain() async throws {
        let phone = try await stack.phone(subject: "user_ada")
        // The app asks, and is told; its API may still be finding enclave and database again.
        let refusal = try await eventually("a refusal that asks to connect") { () -> String? in
            let answer = try await phone.call("POST", "/v1/assistant/query", ["query": "My meetings today?"])
            return answer.status == 400 ? answer.errorCode : nil
        }
        #expect(refusal == "google_connector_not_active")
        #expect(try await status(phone) == ["RECONNECT_REQUIRED"])
        #expect(try await phone.connectGoogle().status == 200)
        #expect(try await status(phone) == ["ACTIVE"])
        try await InProcessHost.with(stack) { host async throws in #expect(try await host.readCalendar() == 200) }
    }

    private func status(_ phone: Phone) async throws -> [String] {
        let items = try await phone.expect("GET", "/v1/connectors").json["items"] as? [[String: any Sendable]] ?? []
        return items.compactMap { $0["status"] as? String }
    }

    private func issued() async throws -> Int {
        try await control.issuedSecrets().count { $0.kind == .refreshToken }
    }
}
