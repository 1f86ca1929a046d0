import Foundation
import Glibc
import LocalStack
import SimulatorKit
import Synchronization
import Testing

extension EndToEnd {
    /// The API as the app uses it, with a real enclave behind it and two processes of it.
    @Suite struct APITests {
        @Test(.timeLimit(.minutes(3))) func twoProcessesAreOneAPI() async throws {
            try await withStack("two-apis") { stack in
                let environment = try #require(await stack.environment)
                let one = try await stack.phone(subject: "user_two_apis")
                let two = try await Self.second(stack, one)
                let control = try await stack.control
                try await Self.repeatedRequestsAreDoneOnce(one, two, environment, control)
                try await Self.theAssistantReadsTheCalendar(one, two, control)
                let dump = String(decoding: try Tool.dumpPostgres(environment), as: UTF8.self)
                let logs = try FileManager.default.contentsOfDirectory(
                    at: stack.settings.state.appending(path: "logs"), includingPropertiesForKeys: nil)
                for text in try [dump] + logs.map({ try String(contentsOf: $0, encoding: .utf8) }) {
                    for secret in ["Canary-Title", "Design review", "Meetings tomorrow"] {
                        #expect(!text.contains(secret), "\(secret)")
                    }
                }
                try await Self.deletionIsAskedForOnce(one, two, environment)
            }
        }

        /// A client that asks who is ready, as a load balancer does, loses nothing while both are replaced.
        @Test(.timeLimit(.minutes(3))) func aRollingRestartLosesNoRequest() async throws {
            try await withStack("rolling") { stack in
                let first = try await stack.phone(subject: "user_rolling_0")
                let second = try await Self.second(stack, first)
                var phones: [Phone] = []
                for number in 0..<24 {
                    let phone = try await stack.phone(subject: "user_rolling_\(number)")
                    phones.append(phone)
                }
                let end = End()
                let (people, apis) = (phones, [first.api, second.api])
                let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                    for worker in 0..<4 {
                        group.addTask {
                            var count = 0
                            while !end.isReached {
                                let phone = people[(worker + count * 4) % people.count]
                                let answer = try await Self.balanced(phone, apis)
                                #expect(answer == 200)
                                count += 1
                                // Two reads a second and user are allowed.
                                try await Task.sleep(for: .milliseconds(100))
                            }
                            return count
                        }
                    }
                    for name in ["api", "api-2"] {
                        #expect(try await stack.process(name).stop() == 0, "\(name)")
                        if name == "api" {
                            try await stack.start(.api)
                        } else {
                            _ = try await Self.second(stack, first)
                        }
                    }
                    end.reach()
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(counts.reduce(0, +) > 100)
            }
        }

        /// A client that never ends its request would be waited for 15 seconds.
        @Test(.timeLimit(.minutes(2))) func aDrainHasAnEndWhateverClientsDo() async throws {
            try await withStack("drain-end", { $0.overrides = ["SHUTDOWN_DRAIN_SECONDS": "1"] }) { stack in
                let environment = try #require(await stack.environment)
                let head = "POST /v1/attestation/challenge HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: application/json"
                let client = Process()
                client.executableURL = URL(filePath: "/bin/bash")
                client.arguments = [
                    "-c",
                    """
                    exec 3<>/dev/tcp/127.0.0.1/\(environment.ports.api)
                    printf '\(head)\\r\\nContent-Length: 9\\r\\n\\r\\n{' >&3; echo sent; cat <&3
                    """,
                ]
                let output = Pipe()
                client.standardOutput = output
                try client.run()
                #expect(output.fileHandleForReading.availableData == Data("sent\n".utf8))
                #expect(await Phone.status("\(environment.apiURL)/readyz") == 200)
                let api = try await stack.process(.api)
                api.send(SIGTERM)
                #expect(await api.waitForExit(within: .seconds(10)) == 0)
                client.waitUntilExit()
            }
        }

        /// Starts a second API on ports of its own; the phone, as it speaks to that one.
        private static func second(_ stack: LocalStack, _ phone: Phone) async throws -> Phone {
            let (port, metrics) = (Ports.free(), Ports.free())
            try await stack.launch(
                .api, name: "api-2",
                extra: ["API_BIND_ADDR": "127.0.0.1:\(port)", "METRICS_BIND_ADDR": "127.0.0.1:\(metrics)"])
            let api = "http://127.0.0.1:\(port)"
            _ = try await eventually("the second API") { await Phone.status("\(api)/readyz") == 200 ? true : nil }
            return phone.speaking(to: api)
        }

        private static func balanced(_ phone: Phone, _ apis: [String]) async throws -> Int {
            while true {
                for api in apis.shuffled() where await Phone.status("\(api)/readyz") == 200 {
                    return try await phone.speaking(to: api).call("GET", "/v1/preferences").status
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }

        private static func repeatedRequestsAreDoneOnce(
            _ one: Phone, _ two: Phone, _ environment: StackEnvironment, _ control: SimulatorControl
        ) async throws {
            try await one.register(device: "iphone", token: String(repeating: "ab", count: 32))
            let key = ["Idempotency-Key": "test-1"]
            let body = ["title": "Canary-Title", "body": "x"]
            let answers = try await withThrowingTaskGroup(of: Phone.Answer.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        try await (index % 2 == 0 ? one : two).call("POST", "/v1/devices/apns/test", body, headers: key)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let done = Set(answers.filter { $0.status == 200 }.map(\.body))
            #expect(done.count == 1)
            #expect(answers.allSatisfy { $0.status == 200 || $0.errorCode == "idempotency_in_progress" })
            let again = try await two.call("POST", "/v1/devices/apns/test", body, headers: key)
            #expect(again.headers["idempotency-replayed"] == "true" && done == [again.body])
            let jobs = "select count(*) from alfred.jobs where type = 'TEST_NOTIFICATION'"
            #expect(try Tool.psql(jobs, environment) == "1")
            _ = try await eventually("the test notification") { () -> Bool? in
                try await control.deliveries().isEmpty ? nil : true
            }
            #expect(try await control.deliveries().map(\.title) == ["Canary-Title"])
        }

        private static func theAssistantReadsTheCalendar(
            _ one: Phone, _ two: Phone, _ control: SimulatorControl
        ) async throws {
            try await control.setConsent(ConsentPolicy(account: "assistant@example.com"))
            #expect(try await one.connectGoogle().status == 200)
            let format = ISO8601DateFormatter()
            // A new user's zone is UTC.
            let start = format.string(from: Date().addingTimeInterval(86_400))
            try await control.putEvent(
                account: "assistant@example.com",
                CalendarEvent(
                    id: "review1", summary: "Design review", start: .init(dateTime: start),
                    end: .init(dateTime: format.string(from: Date().addingTimeInterval(88_200)))))
            // A model that says nothing of use: the counted answer is given.
            try await control.setOpenRouter(OpenRouterBehaviour(flaw: .prose))
            let answer = try await one.expect("POST", "/v1/assistant/query", ["query": "Meetings tomorrow?"])
            #expect(answer.text("output_source") == "deterministic_fallback")
            let day = String(start.prefix(10))
            #expect(answer.text("display_text") == "You have 1 meeting on \(day).")
            let payload = answer.json["payload"] as? [String: any Sendable]
            #expect((payload?["key_points"] as? [String])?.first?.hasSuffix(" - Design review") == true)
            let session = try #require(answer.text("session_id"))
            let more = try await two.expect(
                "POST", "/v1/assistant/query", ["query": "same again", "session_id": session])
            #expect(more.text("display_text") == answer.text("display_text"))
        }

        private static func deletionIsAskedForOnce(
            _ one: Phone, _ two: Phone, _ environment: StackEnvironment
        ) async throws {
            async let first = one.expect("POST", "/v1/privacy/delete-all")
            async let second = two.expect("POST", "/v1/privacy/delete-all")
            let ids = try await [first.text("request_id"), second.text("request_id")]
            #expect(ids[0] != nil && ids[0] == ids[1])
            let status = try await two.expect("GET", "/v1/privacy/delete-all/\(ids[0] ?? "")")
            #expect(["QUEUED", "RUNNING", "COMPLETED"].contains(status.text("status")))
        }
    }
}

/// That something is over.
private final class End: Sendable {
    private let value = Mutex(false)

    var isReached: Bool { value.withLock { $0 } }
    func reach() { value.withLock { $0 = true } }
}
