import EnclaveClient
import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct IdempotencyTests {
    private func register(_ server: TestServer, _ token: String) async throws {
        let answer = try await server.send(
            "POST", "/v1/devices/apns", token: token,
            json: #"{"device_id":"phone","apns_token":"\#(UUID().uuidString)","environment":"sandbox"}"#)
        #expect(answer.status == 200)
    }

    private func test(
        _ server: TestServer, _ token: String, key: String?, json: String? = #"{"title":"Hi","body":"There"}"#
    ) async throws -> TestServer.Answer {
        try await server.send(
            "POST", "/v1/devices/apns/test", token: token, json: json,
            headers: key.map { ["Idempotency-Key: \($0)"] } ?? [])
    }

    @Test func aRepeatedRequestIsAnsweredAgainAndNotDoneAgain() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            try await register(server, token)
            let first = try await test(server, token, key: "k-1")
            #expect(first.status == 200 && first.headers["idempotency-replayed"] == nil)
            // Another order of the fields is the same request.
            let second = try await test(server, token, key: "k-1", json: #"{ "body":"There", "title":"Hi" }"#)
            #expect(second.body == first.body && second.status == 200)
            #expect(second.headers["idempotency-replayed"] == "true")
            #expect(second.headers["ratelimit"]?.hasPrefix("\"test_push\";r=8;") == true)
            #expect(try await server.count("alfred.jobs where", user) == 1)
            let other = try await test(server, token, key: "k-1", json: #"{"title":"Ho","body":"There"}"#)
            #expect(other.status == 422 && other.code == "idempotency_key_reused")
            let third = try await test(server, token, key: "k-2")
            #expect(third.text("queued_job_id") != first.text("queued_job_id"))
            #expect(try await server.count("alfred.jobs where", user) == 2)
        }
    }

    @Test func aRefusalIsRepeatedAndAFailureIsTriedAgain() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let refused = try await test(server, token, key: "r")
            #expect(refused.status == 400 && refused.code == "no_registered_device")
            try await register(server, token)
            let repeated = try await test(server, token, key: "r")
            #expect(repeated.status == 400 && repeated.body == refused.body)
            #expect(repeated.headers["idempotency-replayed"] == "true")

            server.enclave.script { $0.seal = .unreachable }
            #expect(try await test(server, token, key: "s").status == 503)
            server.enclave.script { $0.seal = nil }
            let done = try await test(server, token, key: "s")
            #expect(done.status == 200 && done.headers["idempotency-replayed"] == nil)
        }
    }

    @Test func ofManyAtOnceInTwoProcessesOneIsDone() async throws {
        let stores = try await TestStores.shared.value
        let enclave = FakeEnclave(stores.pool)
        try await TestServer.run(ownPool: true, enclave: enclave) { one in
            try await TestServer.run(ownPool: true, enclave: enclave) { two in
                let (user, token) = try one.signIn()
                try await register(one, token)
                let answers = try await withThrowingTaskGroup(of: TestServer.Answer.self) { group in
                    for index in 0..<8 {
                        group.addTask { try await test(index % 2 == 0 ? one : two, token, key: "same") }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let done = answers.filter { $0.status == 200 }
                #expect(!done.isEmpty && Set(done.map(\.body)).count == 1)
                for answer in answers where answer.status != 200 {
                    #expect(answer.status == 409 && answer.code == "idempotency_in_progress")
                    #expect(answer.headers["retry-after"] == "1")
                }
                #expect(try await one.count("alfred.jobs where", user) == 1)
                let queued = "alfred.audit_events where event_type = 'TEST_NOTIFICATION_QUEUED' and"
                #expect(try await one.count(queued, user) == 1)
                #expect(try await test(two, token, key: "same").body == done.first?.body)
            }
        }
    }

    @Test func anAnswerThatWasLostBeforeItWasStoredDoesNotQueueASecondJob() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            try await register(server, token)
            let first = try await test(server, token, key: "lost")
            // What a crash between the commit and the storing of the answer leaves, a minute later.
            _ = try await server.pool.query(
                .write(
                    """
                    update alfred.idempotent_answers set status = null, body_ciphertext = null,
                        sealed_key_version = null, locked_until = now() where user_id = $1
                    """), [.uuid(user.uuid)])
            let second = try await test(server, token, key: "lost")
            #expect(second.body == first.body && second.headers["idempotency-replayed"] == nil)
            #expect(try await server.count("alfred.jobs where", user) == 1)
        }
    }

    @Test func aKeyUsedAgainAfterADayQueuesANewJob() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            try await register(server, token)
            let first = try await test(server, token, key: "daily")
            // A day passes: for the answer, and for the job, which stays a week.
            _ = try await server.pool.query(
                .write("delete from alfred.idempotent_answers where user_id = $1"), [.uuid(user.uuid)])
            let later = """
                update alfred.jobs set created_at = created_at - interval '24 hours',
                    idempotency_key = left(idempotency_key, -8) || to_char(
                        (created_at - interval '24 hours') at time zone 'UTC', 'YYYYMMDD')
                where user_id = $1
                """
            _ = try await server.pool.query(.write(later), [.uuid(user.uuid)])
            let second = try await test(server, token, key: "daily")
            #expect(second.status == 200 && second.body != first.body)
            #expect(try await server.count("alfred.jobs where", user) == 2)
        }
    }

    @Test(arguments: ["a b", "", "é", String(repeating: "k", count: 129)])
    func aKeyOutOfRuleIsRefused(_ key: String) async throws {
        try await TestServer.run { server in
            let answer = try await test(server, try server.signIn().token, key: key)
            #expect(answer.status == 400 && answer.code == "invalid_idempotency_key")
        }
    }

    @Test func keysOfOthersAndOfOtherRoutesDoNotMatter() async throws {
        try await TestServer.run { server in
            let (one, two) = (try server.signIn(), try server.signIn())
            for person in [one, two] {
                try await register(server, person.token)
                let answer = try await test(server, person.token, key: "shared")
                #expect(answer.status == 200 && answer.headers["idempotency-replayed"] == nil)
            }
            let elsewhere = try await server.send(
                "POST", "/v1/privacy/delete-all", token: one.token, headers: ["Idempotency-Key: shared"])
            #expect(elsewhere.status == 200 && elsewhere.headers["idempotency-replayed"] == nil)
        }
    }

    /// The client was told that it took too long; what was done by then is done, and told at the next try.
    @Test func whatWasDoneInARequestThatTookTooLongIsAnsweredToItsRepetition() async throws {
        try await TestServer.run(changes: ["API_REQUEST_TIMEOUT_MS": "5000"]) { server in
            let (user, token) = try server.signIn()
            let start = try await server.send(
                "POST", "/v1/connectors/google/start", token: token,
                json: #"{"redirect_uri":"alfred://oauth/google/callback"}"#)
            // Until the request's time is over.
            server.enclave.script { $0.whenCompleted = { try? await Task.sleep(for: .seconds(30)) } }
            func callback() async throws -> TestServer.Answer {
                try await server.send(
                    "POST", "/v1/connectors/google/callback", token: token,
                    json: #"{"state":"\#(start.text("state") ?? "")","code":"c"}"#, headers: ["Idempotency-Key: cb"])
            }
            let first = try await callback()
            #expect(first.status == 503 && first.code == "request_timeout")
            let second = try await callback()
            #expect(second.status == 200 && second.text("status") == "ACTIVE", "\(second.body)")
            #expect(second.headers["idempotency-replayed"] == "true")
            #expect(try await server.count("alfred.connectors where status = 'ACTIVE' and", user) == 1)
        }
    }

    @Test func nothingOfTheAnswerIsStoredInTheOpen() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            try await register(server, token)
            let answer = try await test(server, token, key: "secret-key")
            let row = try await server.pool.query(
                .read(
                    "select body_ciphertext, key_hash, request_hash from alfred.idempotent_answers where user_id = $1"),
                [.uuid(user.uuid)]
            ).required()
            let item = try #require(server.enclave.sealed.last)
            #expect(item.purpose == .apiAnswer && item.user == user)
            #expect(item.content == [0] + Array(answer.body.utf8))
            #expect(try row.bytes(0) == item.content.reversed())
        }
    }
}
