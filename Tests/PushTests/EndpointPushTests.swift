import AsyncHTTPClient
import Foundation
import HostRuntime
import SimulatorKit
import Testing

@testable import Push

/// Delivery to the simulated gateway over verified TLS.
@Suite struct EndpointPushTests {
    private let message = pushMessage(title: "Meeting in 5 min", body: "Design at 10:00", token: "device-1")

    private func withGateway(
        trusting: Bool = true, timeout: Duration = .seconds(5),
        _ body: @escaping @Sendable (EndpointPush, SimulatorControl) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "push-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSimulators(SimulatorConfiguration(stateFolder: folder.path)) { endpoints, control in
            let clients = PushClients(rootsFile: trusting ? endpoints.caFile : nil, maximumConcurrency: 4)
            let url = try #require(ServiceURL(endpoints.apns + "/push"))
            let result: Result<Void, any Error>
            do {
                result = .success(
                    try await body(
                        EndpointPush(client: clients.endpoint, url: url, token: Secret("bearer-1"), timeout: timeout),
                        control))
            } catch {
                result = .failure(error)
            }
            try await clients.shutdown()
            try result.get()
        }
    }

    @Test func deliversWithTheIDAsIdempotencyKey() async throws {
        try await withGateway { push, control in
            #expect(await push.send(message) == .delivered)
            #expect(await push.send(message) == .delivered)
            let deliveries = try await control.deliveries()
            #expect(deliveries.count == 1)
            let delivery = try #require(deliveries.first)
            #expect(delivery.count == 2 && !delivery.contentChanged)
            #expect(delivery.id == message.id.uuidString.lowercased())
            #expect(delivery.deviceToken == "device-1" && delivery.route == .endpoint)
            #expect(delivery.title == message.title && delivery.body == message.body)
            #expect(try await control.issuedSecrets().contains { "\($0)".contains("bearer-1") })
        }
    }

    @Test func learnsThatADeviceIsGone() async throws {
        try await withGateway { push, control in
            try await control.setDevice("device-1", .unregistered(sinceUnixMilliseconds: 0))
            #expect(await push.send(message) == .refused(code: "APNS_HTTP_410", deviceIsGone: true))
        }
    }

    @Test func repeatsLaterAsLongAsTheGatewayAsks() async throws {
        try await withGateway { push, control in
            try await control.setFault(
                Fault(.endpointPush, effect: .status(code: 429, retryAfterSeconds: 17), times: 1))
            #expect(await push.send(message) == .transient(code: "APNS_HTTP_429", retryAfter: .seconds(17)))
        }
    }

    @Test func callsAResetAndASilentGatewayTransient() async throws {
        try await withGateway(timeout: .seconds(3)) { push, control in
            try await control.setFault(Fault(.endpointPush, effect: .reset, moment: .afterwards, times: 1))
            #expect(await push.send(message) == .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil))
            try await control.setFault(Fault(.endpointPush, effect: .hang, times: 1))
            #expect(await push.send(message) == .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil))
            // The answer of the first was lost after its work: the repeat is the same notification.
            #expect(await push.send(message) == .delivered)
            #expect(try await control.deliveries().map(\.count) == [2])
        }
    }

    @Test func doesNotTalkToAGatewayItCannotVerify() async throws {
        try await withGateway(trusting: false) { push, control in
            #expect(await push.send(message) == .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil))
            let deliveries = try await control.deliveries()
            #expect(deliveries.isEmpty)
        }
    }

    @Test(arguments: [
        (200, PushAnswer.delivered), (204, .delivered),
        (301, .refused(code: "APNS_HTTP_301", deviceIsGone: false)),
        (400, .refused(code: "APNS_HTTP_400", deviceIsGone: false)),
        (410, .refused(code: "APNS_HTTP_410", deviceIsGone: true)),
        (408, .transient(code: "APNS_HTTP_408", retryAfter: nil)),
        (425, .transient(code: "APNS_HTTP_425", retryAfter: nil)),
        (500, .transient(code: "APNS_HTTP_500", retryAfter: nil)),
        (501, .refused(code: "APNS_HTTP_501", deviceIsGone: false)),
        (504, .transient(code: "APNS_HTTP_504", retryAfter: nil)),
    ])
    func readsAStatus(status: Int, expected: PushAnswer) {
        #expect(EndpointPush.answer(status, retryAfter: nil, now: Date()) == expected)
    }

    @Test func readsRetryAfterInSecondsOrAsADate() {
        let now = Date(timeIntervalSince1970: 784_111_777)
        #expect(RetryAfter.wait("17", now: now) == .seconds(17))
        #expect(RetryAfter.wait("Sun, 06 Nov 1994 08:49:47 GMT", now: now) == .seconds(10))
        #expect(RetryAfter.wait("Sun, 06 Nov 1994 08:49:00 GMT", now: now) == .zero)
        #expect(RetryAfter.wait("4000000000", now: now) == .seconds(86_400))
        #expect(RetryAfter.wait("soon", now: now) == nil)
        #expect(RetryAfter.wait(nil, now: now) == nil)
    }
}
