import Foundation
import Glibc
import LocalStack
import SimulatorKit
import Testing

extension EndToEnd {
    /// The worker dies between every two steps of an erasure; each next one goes on from the database.
    @Suite struct PrivacyDeleteKillTests {
        @Test(.timeLimit(.minutes(4))) func aWorkerKilledBetweenAnyTwoStepsIsFollowedByOneThatFinishes() async throws {
            try await withConnectedStack("erase-kill", PrivacyDeleteTests.settings) { stack, control in
                let phone = try await stack.phone(subject: "user_ada")
                try await phone.register(device: "phone", token: String(repeating: "ab", count: 32))
                _ = try await phone.expect(
                    "POST", "/v1/assistant/query",
                    ["query": "What meetings do I have today?", "session_id": UUID().uuidString])
                try await stack.kill9(.worker)
                let faults = try await ErasureFaults(stack)
                let user = try faults.query("select id from alfred.users")
                let request = try await PrivacyDeleteTests.ask(phone)

                try await faults.killWorker(at: .claim)
                #expect(try faults.query("select status from alfred.privacy_delete_requests") == "QUEUED")
                try await faults.killWorker(at: .freeze)
                #expect(try faults.query("select status from alfred.privacy_delete_requests") == "RUNNING")
                #expect(try !faults.isFrozen)

                try await control.setFault(Fault(.revoke, latencyMilliseconds: 1000, effect: .reset, times: 1))
                try await stack.start(.worker)
                _ = try await eventually("Google is being asked to revoke") { () -> Bool? in
                    try await control.count(of: .revoke) == 1 ? true : nil
                }
                try await faults.killWorker()
                #expect(try faults.isFrozen)
                #expect(try await !control.isRevoked(account: "ada@example.com"))

                try await faults.killWorker(at: .tombstone)
                #expect(try await control.isRevoked(account: "ada@example.com"))
                try await faults.killWorker(at: .mark)
                #expect(try faults.connector == "ACTIVE|2", "the tombstone is stored, but not called one")
                try await faults.killWorker(at: .thinOut)
                #expect(try faults.connector == "REVOKED|2")
                try await faults.killWorker(at: .purge)
                #expect(try !faults.isDeleted && faults.query("select count(*) from alfred.devices") == "1")

                try await Self.killAfterPurge(faults)
                #expect(try faults.isDeleted && faults.rows == 0 && !faults.isCompleted)
                #expect(try faults.redisKeys(of: user) > 0)
                try await Self.killAfterForget(faults)
                #expect(try faults.redisKeys(of: user) > 0 && !faults.isCompleted)
                try await faults.killWorker(at: .complete)
                #expect(try faults.redisKeys(of: user) == 0, "asked before the phone asks again, which is counted")
                #expect(try !faults.isCompleted)

                try await stack.start(.worker)
                let answer = try await PrivacyDeleteTests.completed(phone, request)
                #expect(answer.json["unrevoked_connectors"] as? Int == 0)
                try await PrivacyDeleteTests.expectNothingLeft(stack)
            }
        }

        /// The purge is committed; the enclave, which stands still, was not told.
        private static func killAfterPurge(_ faults: ErasureFaults) async throws {
            try faults.arm(.claim)
            try await faults.stack.start(.worker)
            try await faults.waitUntilHeld(at: .claim)
            let enclave = try await faults.stack.process(.enclave)
            enclave.send(SIGSTOP)
            defer { enclave.send(SIGCONT) }
            try faults.release()
            _ = try await eventually("the user is erased") { () -> Bool? in try faults.isDeleted ? true : nil }
            try await faults.killWorker()
        }

        /// The enclave has forgotten the user; Redis, which stands still, was not told.
        private static func killAfterForget(_ faults: ErasureFaults) async throws {
            try faults.arm(.claim)
            try await faults.stack.start(.worker)
            try await faults.waitUntilHeld(at: .claim)
            try faults.signalRedis(SIGSTOP)
            defer { try? faults.signalRedis(SIGCONT) }
            try faults.release()
            _ = try await eventually("the enclave forgot the user") { () -> Bool? in
                try await faults.calls(of: "vault.forget") > 0 ? true : nil
            }
            try await faults.killWorker()
        }
    }
}
