import Foundation
import LocalStack
import Testing

extension EndToEnd {
    /// `alfredctl jobs`, as an operator uses it on what failed.
    @Suite struct OperatorJobsTests {
        private static let secret = "5ec4e7"

        @Test(.timeLimit(.minutes(2))) func theOperatorSeesRetriesAndDiscardsWhatFailedButNoContent() async throws {
            try await withPreparedStack("operator-jobs") { stack in
                let environment = try await stack.known
                let (user, first, second) = (UUID(), UUID(), UUID())
                try Self.bury(user, [first, second], environment)
                let listed = try await stack.operate(["jobs", "list"])
                #expect(listed.status == 0 && listed.output.contains("2 jobs FAILED"), "\(listed.output)")
                for part in [first.uuidString.lowercased(), "TEST_NOTIFICATION", "NO_REGISTERED_DEVICE"] {
                    #expect(listed.output.contains(part), "\(part)")
                }
                #expect(try await stack.operate(["jobs", "list", "--type", "MORNING_BRIEF"]).output == "0 jobs FAILED")
                #expect(try await stack.operate(["jobs", "list", "--limit", "1"]).output.contains("1 jobs FAILED"))
                #expect(try await stack.operate(["jobs", "list", "--state", "LOST"]).status == 2)
                #expect(try await stack.operate(["jobs", "list", "--limit", "1001"]).status == 2)
                let pushes = try await stack.operate(["jobs", "list", "--pushes"])
                #expect(pushes.output.contains("APNS_BADDEVICETOKEN") && pushes.output.contains("1 notifications"))
                let shown = try await stack.operate(["jobs", "show", first.uuidString, "--json"])
                #expect(shown.status == 0 && shown.output.contains("\"dead_letter\" : true"), "\(shown.output)")
                #expect(try await stack.operate(["jobs", "show", UUID().uuidString]).status == 1)
                for answer in [listed, pushes, shown] {
                    #expect(!answer.output.contains(user.uuidString.lowercased()), "a person appears by a reference")
                    #expect(!answer.output.contains(Self.secret), "no content")
                }

                #expect(try await stack.operate(["jobs", "discard", second.uuidString]).status == 0)
                #expect(try await stack.operate(["jobs", "discard", second.uuidString]).status == 1)
                #expect(try await stack.operate(["jobs", "retry"]).status == 2)
                #expect(try await stack.operate(["jobs", "retry", first.uuidString]).status == 0)
                #expect(
                    try await stack.operate(["jobs", "retry", first.uuidString]).status == 1,
                    "it is not failed any more")
                let row = try Tool.psql(
                    """
                    select state, attempts, (select count(*) from alfred.dead_letter_jobs where redriven_at is not null),
                        (select count(*) from alfred.dead_letter_jobs),
                        (select count(*) from alfred.audit_events where event_type = 'JOB_REDRIVEN')
                    from alfred.jobs where id = '\(first)'
                    """, environment)
                #expect(row == "PENDING|0|1|1|1")
            }
        }

        /// Two dead letters with sealed content, and a push that a phone's token could not take.
        private static func bury(_ user: UUID, _ jobs: [UUID], _ environment: StackEnvironment) throws {
            let device = UUID()
            let rows = jobs.map {
                """
                insert into alfred.jobs (id, user_id, type, due_at, state, attempts, idempotency_key,
                    payload_ciphertext, sealed_key_version, finished_at, last_error_code)
                values ('\($0)', '\(user)', 'TEST_NOTIFICATION', now(), 'FAILED', 1, '\($0)', '\\x\(secret)', 1, now(),
                    'NO_REGISTERED_DEVICE');
                insert into alfred.dead_letter_jobs (user_id, job_id, type, idempotency_key, attempts, reason_code,
                    reason_message, payload_ciphertext, sealed_key_version)
                values ('\(user)', '\($0)', 'TEST_NOTIFICATION', '\($0)', 1, 'NO_REGISTERED_DEVICE', 'No device.',
                    '\\x\(secret)', 1);
                """
            }
            _ = try Tool.psql(
                """
                insert into alfred.users (id) values ('\(user)');
                insert into alfred.devices (id, user_id, device_identifier, apns_token_ciphertext, apns_token_sha256,
                    sealed_key_version, environment)
                values ('\(device)', '\(user)', 'phone', '\\x01', sha256('x'), 1, 'sandbox');
                \(rows.joined(separator: "\n"))
                insert into alfred.push_outbox (id, user_id, device_id, action_key, kind, payload_ciphertext,
                    sealed_key_version, expires_at, state, attempts, last_error_code, finished_at)
                values (gen_random_uuid(), '\(user)', '\(device)', 'a', 'test', '\\x\(secret)', 1, now(), 'FAILED', 1,
                    'APNS_BADDEVICETOKEN', now());
                """, environment)
        }
    }
}
