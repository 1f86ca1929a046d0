import Foundation
import HostRuntime
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// A user erases everything, whatever fails or is under way meanwhile.
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

        static func ask(_ phone: Phone) async throws -> String {
            let answer = try await phone.call("POST", "/v1/privacy/delete-all")
            #expect(answer.status == 200)
            return try #require(answer.text("request_id"))
        }

        static func completed(_ phone: Phone, _ request: String) async throws -> Phone.Answer {
            try await eventually("the request is completed", within: .seconds(60)) {
                let answer = try await phone.call("GET", "/v1/privacy/delete-all/\(request)")
                return answer.text("status") == "COMPLETED" ? answer : nil
            }
        }

        static func expectNothingLeft(_ stack: LocalStack) async throws {
            let environment = try await stack.known
            for table in tables {
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
                let request = try await Self.ask(phone)
                let answer = try await Self.completed(phone, request)
                noise.cancel()
                await noise.value
                #expect(answer.json["unrevoked_connectors"] as? Int == 0)
                #expect(try await control.isRevoked(account: "ada@example.com"))
                try await Self.expectNothingLeft(stack)
                #expect(try await phone.call("GET", "/v1/preferences").status == 403)
            }
        }

        /// Both began before the deletion was asked for, and end when it is over.
        @Test(.timeLimit(.minutes(3))) func aConnectAndAPushInFlightBringNothingBack() async throws {
            try await withStack("erase-flight", { $0.overrides = Self.settings }) { stack in
                let control = try await stack.control
                try await control.setConsent(ConsentPolicy(account: "ada@example.com"))
                let phone = try await stack.phone(subject: "user_ada")
                try await phone.register(device: "phone", token: String(repeating: "ab", count: 32))
                let consent = try await phone.consent()
                try await control.setFault(Fault(.exchange, latencyMilliseconds: 4000, times: 1))
                try await control.setFault(Fault(.endpointPush, latencyMilliseconds: 4000, times: 1))
                _ = try await phone.expect("POST", "/v1/devices/apns/test")
                async let connect = phone.finishConnect(consent)
                _ = try await eventually("Google and the push service are being asked") { () -> Bool? in
                    let calls = [try await control.count(of: .exchange), try await control.count(of: .endpointPush)]
                    return calls == [1, 1] ? true : nil
                }
                let answer = try await Self.completed(phone, try await Self.ask(phone))
                #expect(answer.json["unrevoked_connectors"] as? Int == 0)
                #expect(try await control.deliveries().isEmpty, "the push was still under way")

                #expect(try await connect.status == 403)
                _ = try await eventually("the grant that nobody can keep is revoked") { () -> Bool? in
                    try await control.isRevoked(account: "ada@example.com") ? true : nil
                }
                _ = try await eventually("the push ends") { () -> Bool? in
                    try await control.deliveries().count == 1 ? true : nil
                }
                // The worker goes on: what it does next comes after what it could not record.
                let other = try await stack.phone(subject: "user_bob")
                try await other.register(device: "phone", token: String(repeating: "cd", count: 32))
                _ = try await other.expect("POST", "/v1/devices/apns/test")
                let environment = try await stack.known
                _ = try await eventually("another user's push is delivered") { () -> Bool? in
                    let count = try Tool.psql(
                        "select count(*) from alfred.push_outbox where state = 'DELIVERED'", environment)
                    return count == "1" ? true : nil
                }
                let left = Self.tables.map {
                    "(select count(*) from alfred.\($0) where user_id in "
                        + "(select id from alfred.users where status = 'DELETED'))"
                }
                #expect(try Tool.psql("select \(left.joined(separator: " + "))", environment) == "0")
            }
        }

        /// Refused for good by the enclave: told at once. Invalid at Google already: as good as revoked.
        @Test(.timeLimit(.minutes(3))) func whatCanNeverBeRevokedIsToldAtOnceAndDroppedAfterThirtyDays() async throws {
            try await withConnectedStack("erase-refused", Self.settings) { stack, control in
                let environment = try await stack.known
                let ada = try await stack.phone(subject: "user_ada")
                try await control.setConsent(ConsentPolicy(account: "bob@example.com"))
                let bob = try await stack.phone(subject: "user_bob")
                #expect(try await bob.connectGoogle().status == 200)

                try await control.withdrawConsent(account: "bob@example.com")
                let done = try await Self.completed(bob, try await Self.ask(bob))
                #expect(done.json["unrevoked_connectors"] as? Int == 0)
                #expect(try Tool.psql("select count(*) from alfred.pending_revocations", environment) == "0")

                _ = try Tool.psql(
                    """
                    update alfred.connectors set refresh_token_ciphertext = set_byte(refresh_token_ciphertext,
                        length(refresh_token_ciphertext) - 1,
                        get_byte(refresh_token_ciphertext, length(refresh_token_ciphertext) - 1) # 1)
                    """, environment)
                let revocations = try await control.count(of: .revoke)
                let request = try await Self.ask(ada)
                let told = try await Self.completed(ada, request)
                #expect(told.json["unrevoked_connectors"] as? Int == 1)
                #expect(try await control.count(of: .revoke) == revocations)
                let row = try Tool.psql(
                    """
                    select attempts, revoke_attempts, unrevoked_reason from alfred.privacy_delete_requests
                    where id = '\(request)'
                    """, environment)
                #expect(row == "0|0|sealed_data_rejected")
                #expect(try Tool.psql("select count(*) from alfred.pending_revocations", environment) == "1")

                _ = try Tool.psql("update alfred.pending_revocations set delete_after = now()", environment)
                try await stack.kill9(.worker)
                try await stack.start(.worker)
                _ = try await eventually("the record is dropped") { () -> Bool? in
                    try Tool.psql("select count(*) from alfred.pending_revocations", environment) == "0" ? true : nil
                }
                _ = try await eventually("the end is logged") { () -> Bool? in
                    try await stack.process(.worker).logTail(200).contains("pending_revocations_expired") ? true : nil
                }
                let after = try await ada.call("GET", "/v1/privacy/delete-all/\(request)")
                #expect(after.json["unrevoked_connectors"] as? Int == 1, "it never was revoked")
            }
        }
    }
}
