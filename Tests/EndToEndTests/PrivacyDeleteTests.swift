import Foundation
import HostRuntime
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// A user erases everything, whatever dies or fails on the way.
    @Suite struct PrivacyDeleteTests {
        static let settings = [
            "WORKER_RETRY_BASE_DELAY_SECONDS": "1", "WORKER_RETRY_MAX_DELAY_SECONDS": "1",
            "WORKER_PRIVACY_DELETE_LEASE_SECONDS": "10", "WORKER_PRIVACY_DELETE_REVOKE_MAX_ATTEMPTS": "3",
            "WORKER_TICK_SECONDS": "1",
        ]
        static let tables = [
            "push_outbox", "jobs", "dead_letter_jobs", "schedules", "email_seen", "assistant_sessions",
            "idempotent_answers", "oauth_states", "devices", "connectors", "user_preferences",
        ]

        private func ask(_ phone: Phone) async throws -> String {
            let answer = try await phone.call("POST", "/v1/privacy/delete-all")
            #expect(answer.status == 200)
            return try #require(answer.text("request_id"))
        }

        private func completed(_ phone: Phone, _ request: String) async throws -> Phone.Answer {
            try await eventually("the request is completed", within: .seconds(60)) {
                let answer = try await phone.call("GET", "/v1/privacy/delete-all/\(request)")
                return answer.text("status") == "COMPLETED" ? answer : nil
            }
        }

        private func expectNothingLeft(_ stack: LocalStack) async throws {
            let environment = try #require(await stack.environment)
            for table in Self.tables {
                #expect(try Tool.psql("select count(*) from alfred.\(table)", environment) == "0", "\(table)")
            }
            #expect(
                try Tool.psql("select string_agg(event_type, ',') from alfred.audit_events", environment)
                    == "PRIVACY_DELETE_ALL_COMPLETED")
            #expect(try Tool.psql("select status from alfred.users", environment) == "DELETED")
        }

        @Test(.timeLimit(.minutes(3))) func everythingIsErasedRevokedAndToldBesideWorkInFlight() async throws {
            try await withConnectedStack("erase", Self.settings) { stack, control in
                let phone = try await stack.phone(subject: "user_ada")
                try await phone.register(device: "phone", token: String(repeating: "ab", count: 32))
                let noise = Task {
                    while !Task.isCancelled {
                        _ = try? await phone.call("POST", "/v1/devices/apns/test")
                        _ = try? await phone.call("GET", "/v1/preferences")
                    }
                }
                let request = try await ask(phone)
                let answer = try await completed(phone, request)
                noise.cancel()
                await noise.value
                #expect(answer.json["unrevoked_connectors"] as? Int == 0)
                #expect(try await control.isRevoked(account: "ada@example.com"))
                try await expectNothingLeft(stack)
                #expect(try await phone.call("GET", "/v1/preferences").status == 403)
            }
        }

        @Test(.timeLimit(.minutes(4))) func aWorkerKilledAnywhereIsFollowedByOneThatFinishes() async throws {
            try await withConnectedStack("erase-kill", Self.settings) { stack, control in
                let phone = try await stack.phone(subject: "user_ada")
                // Long enough in the revocation for the kills to fall before, into and behind it.
                try await control.setFault(Fault(.revoke, latencyMilliseconds: 1500, times: 2))
                let request = try await ask(phone)
                for pause in [200, 900, 1700] {
                    try await Task.sleep(for: .milliseconds(pause))
                    try await stack.kill9(.worker)
                    try await stack.start(.worker)
                }
                let answer = try await completed(phone, request)
                #expect(answer.json["unrevoked_connectors"] as? Int == 0)
                #expect(try await control.isRevoked(account: "ada@example.com"))
                try await expectNothingLeft(stack)
            }
        }

        @Test(.timeLimit(.minutes(4))) func whatGoogleDoesNotRevokeIsToldKeptAloneAndRevokedLater() async throws {
            try await withConnectedStack("erase-pending", Self.settings) { stack, control in
                let environment = try #require(await stack.environment)
                let phone = try await stack.phone(subject: "user_ada")
                try await control.setFault(Fault(.revoke, effect: .status(code: 503)))
                let request = try await ask(phone)
                let answer = try await completed(phone, request)
                #expect(answer.json["unrevoked_connectors"] as? Int == 1)
                try await expectNothingLeft(stack)
                #expect(try await !control.isRevoked(account: "ada@example.com"))
                #expect(try Tool.psql("select count(*) from alfred.pending_revocations", environment) == "1")

                try await control.clearFaults()
                _ = try Tool.psql("update alfred.pending_revocations set next_attempt_at = now()", environment)
                try await stack.kill9(.worker)
                try await stack.start(.worker)
                _ = try await eventually("the pending grant is revoked", within: .seconds(30)) {
                    try Tool.psql("select count(*) from alfred.pending_revocations", environment) == "0" ? true : nil
                }
                #expect(try await control.isRevoked(account: "ada@example.com"))
                let after = try await phone.call("GET", "/v1/privacy/delete-all/\(request)")
                #expect(after.json["unrevoked_connectors"] as? Int == 0)
            }
        }
    }
}
