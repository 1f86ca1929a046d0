import Foundation
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// A grant that Google does not revoke while its user is erased: what the user, the operator and a rotation see.
    @Suite struct PendingRevocationTests {
        static let settings = PrivacyDeleteTests.settings.merging([
            // The second try is the last, and only the operator makes it come soon.
            "WORKER_PRIVACY_DELETE_REVOKE_MAX_ATTEMPTS": "2", "WORKER_RETRY_BASE_DELAY_SECONDS": "1000",
            "WORKER_RETRY_MAX_DELAY_SECONDS": "1000", "KMS_KEY_VERSION": "1", "KMS_DECRYPT_KEY_VERSIONS": "2",
        ]) { $1 }

        @Test(.timeLimit(.minutes(4))) func whatGoogleDoesNotRevokeIsToldKeptAloneAndRevokedLater() async throws {
            try await withConnectedStack("erase-pending", Self.settings) { stack, control in
                let environment = try await stack.known
                let rotation = try await Rotation(stack)
                let user = try Tool.psql("select id from alfred.users", environment)
                let phone = try await stack.phone(subject: "user_ada")
                try await control.setFault(Fault(.revoke, effect: .status(code: 503)))
                let request = try await PrivacyDeleteTests.ask(phone)
                _ = try await eventually("the first try failed") { () -> Bool? in
                    try Tool.psql("select attempts from alfred.privacy_delete_requests", environment) == "1"
                        ? true : nil
                }
                try await expectOverdue(stack, environment)

                let listed = try await stack.operate(["privacy", "list", "--json"])
                #expect(listed.status == 0)
                for part in [request, "QUEUED", "revoke_provider_failed", "\"attempts\" : 1"] {
                    #expect(listed.output.contains(part), "\(part) in \(listed.output)")
                }
                #expect(!listed.output.contains(user), "the user appears by a reference")
                let line = try await stack.operate(["privacy", "list"])
                #expect(line.output.contains("age 25 h") && line.output.contains("1 open requests"), "\(line.output)")
                #expect(try await stack.operate(["privacy", "retry", UUID().uuidString]).status == 1)
                #expect(try await stack.operate(["privacy", "retry", "nonsense"]).status == 2)
                #expect(try await stack.operate(["privacy", "retry", request]).status == 0)

                let answer = try await PrivacyDeleteTests.completed(phone, request)
                #expect(answer.json["unrevoked_connectors"] as? Int == 1)
                try await PrivacyDeleteTests.expectNothingLeft(stack)
                #expect(try await !control.isRevoked(account: "ada@example.com"))
                #expect(try await stack.operate(["privacy", "retry", request]).status == 1, "it is over")
                #expect(try await stack.operate(["privacy", "list"]).output.contains("0 open requests"))
                _ = try await eventually("the alert ends") { () -> Bool? in
                    try await gauge("alfred_privacy_delete_overdue", environment) == 0 ? true : nil
                }

                let pending = "select token_version, record_version from alfred.pending_revocations"
                #expect(try Tool.psql(pending, environment) == "1|1")
                try await rotation.release(["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": "1"])
                #expect(try await rotation.command(["keys", "rewrap", "--to", "2"]) == 0)
                #expect(try Tool.psql(pending, environment) == "2|2")
                try await rotation.release(["KMS_KEY_VERSION": "2", "KMS_DECRYPT_KEY_VERSIONS": ""])

                try await control.clearFaults()
                _ = try Tool.psql("update alfred.pending_revocations set next_attempt_at = now()", environment)
                try await stack.kill9(.worker)
                try await stack.start(.worker)
                _ = try await eventually("the pending grant is revoked", within: .seconds(30)) { () -> Bool? in
                    try Tool.psql(pending, environment).isEmpty ? true : nil
                }
                #expect(try await control.isRevoked(account: "ada@example.com"))
                let after = try await phone.call("GET", "/v1/privacy/delete-all/\(request)")
                #expect(after.json["unrevoked_connectors"] as? Int == 0)
            }
        }

        /// The gauge and the line that an alert is built on, once a request is older than promised.
        private func expectOverdue(_ stack: LocalStack, _ environment: StackEnvironment) async throws {
            #expect(try await gauge("alfred_privacy_delete_overdue", environment) == 0)
            _ = try Tool.psql(
                "update alfred.privacy_delete_requests set created_at = now() - interval '25 hours'", environment)
            _ = try await eventually("the request is overdue") { () -> Bool? in
                let values = [
                    try await gauge("alfred_privacy_delete_overdue", environment),
                    try await gauge("alfred_privacy_delete_open", environment),
                ]
                return values == [1, 1] ? true : nil
            }
            #expect(try await gauge("alfred_privacy_delete_oldest_seconds", environment) ?? 0 >= 25 * 3600)
            _ = try await eventually("the line of the alert") { () -> Bool? in
                try await stack.process(.worker).logTail(100).contains("privacy_delete_overdue") ? true : nil
            }
        }

        private func gauge(_ name: String, _ environment: StackEnvironment) async throws -> Double? {
            let text = try await Phone.text("http://127.0.0.1:\(environment.ports.workerMetrics)/metrics")
            return text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
                .flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
        }
    }
}
