import Crypto
import Foundation
import HostRuntime
import SimulatorKit
import Synchronization
import Testing

@testable import Push

/// Delivery to simulated APNs: verified TLS, HTTP/2, signed provider tokens.
@Suite struct DirectPushTests {
    /// Both environments at their own addresses, and the simulator's controls.
    struct World: Sendable {
        let routes: PushRoutes
        let control: SimulatorControl
        let key: P256.Signing.PrivateKey
        let metrics: MetricsRegistry
        let log: LogSinkRecorder
    }

    final class LogSinkRecorder: Sendable {
        private let lines = Mutex<[String]>([])
        var text: String { lines.withLock { $0.joined(separator: "\n") } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    static let device = String(repeating: "ab", count: 32)

    func withAPNs(
        trusting: Bool = true, timeout: Int = 10_000, clocks: ProviderTokens.Clocks = .init(),
        apnsNow: @escaping @Sendable () -> Date = { Date() },
        _ body: @escaping @Sendable (World) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "apns-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSimulators(SimulatorConfiguration(stateFolder: folder.path, now: apnsNow)) { endpoints, control in
            let key = P256.Signing.PrivateKey()
            try await control.setProvider(
                PushProvider(
                    key: key.publicKey.pemRepresentation, keyID: "KEY1234567", teamID: "TEAM123456",
                    topic: "app.alfred"))
            let clients = PushClients(rootsFile: trusting ? endpoints.caFile : nil, maximumConcurrency: 4)
            let metrics = MetricsRegistry()
            let recorder = LogSinkRecorder()
            let log = HostLog(process: .worker, sink: LogSink { recorder.add("\($0)") })
            let result: Result<Void, any Error>
            do {
                let tokens = try ProviderTokens(
                    keyID: "KEY1234567", teamID: "TEAM123456", key: Secret(key.pemRepresentation), metrics: metrics,
                    clocks: clocks)
                func route(_ url: String) throws -> DirectPush {
                    DirectPush(
                        client: clients.direct, url: try #require(ServiceURL(url)), topic: "app.alfred",
                        tokens: tokens, timeout: .milliseconds(timeout), log: log)
                }
                let routes = PushRoutes(
                    sandbox: try route(endpoints.apns.replacing("localhost", with: "127.0.0.1")),
                    production: try route(endpoints.apns), log: log, metrics: metrics)
                result = .success(
                    try await body(
                        World(routes: routes, control: control, key: key, metrics: metrics, log: recorder)))
            } catch {
                result = .failure(error)
            }
            try await clients.shutdown()
            try result.get()
        }
    }

    @Test func deliversOverHTTP2UnderItsOwnIDAndARepeatShowsOnce() async throws {
        try await withAPNs { (world: World) async throws in
            let message = pushMessage()
            #expect(await world.routes.send(message, to: .sandbox) == .delivered)
            #expect(await world.routes.send(message, to: .sandbox) == .delivered)
            let deliveries = try await world.control.deliveries()
            let delivery = try #require(deliveries.first)
            #expect(deliveries.count == 1 && delivery.count == 2 && !delivery.contentChanged)
            #expect(delivery.route == .direct && delivery.environment == .sandbox)
            #expect(delivery.id == message.id.uuidString.lowercased() && delivery.deviceToken == message.deviceToken)
            #expect(delivery.collapseID == DirectPayload.collapseID(message))
            #expect(delivery.title == message.title && delivery.body == message.body)
        }
    }

    @Test func doesNotTalkToAServiceItCannotVerify() async throws {
        try await withAPNs(trusting: false) { (world: World) async throws in
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil))
            #expect(try await world.control.count(of: .devicePush) == 0)
        }
    }

    @Test func refusesWithoutSendingWhatAPNsWouldRefuse() async throws {
        try await withAPNs { (world: World) async throws in
            #expect(
                await world.routes.send(pushMessage(token: "device-1"), to: .sandbox)
                    == .refused(code: "APNS_BADDEVICETOKEN", deviceIsGone: false))
            #expect(
                await world.routes.send(pushMessage(body: String(repeating: "x", count: 4096)), to: .sandbox)
                    == .refused(code: "APNS_PAYLOADTOOLARGE", deviceIsGone: false))
            #expect(try await world.control.count(of: .devicePush) == 0)
        }
    }

    @Test func findsADeviceThatIsRegisteredWithTheOtherEnvironment() async throws {
        try await withAPNs { (world: World) async throws in
            try await world.control.setDevice(Self.device, .registeredOnly(with: .production))
            #expect(await world.routes.send(pushMessage(), to: .sandbox) == .deliveredElsewhere)
            #expect(try await world.control.deliveries().map(\.environment) == [.production])
            try await world.control.setDevice(Self.device, .bad)
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .tokenRejected(code: "APNS_BADDEVICETOKEN", isStorm: false))
            try await world.control.setDevice(Self.device, .unregistered(sinceUnixMilliseconds: 1_700_000_000_000))
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .unregistered(
                        code: "APNS_UNREGISTERED", since: Date(timeIntervalSince1970: 1_700_000_000)))
        }
    }

    @Test func callsTheOperatorsFaultsByTheirNamesAndBlamesNoDevice() async throws {
        try await withAPNs { (world: World) async throws in
            var provider = PushProvider(
                key: world.key.publicKey.pemRepresentation, keyID: "KEY1234567", teamID: "TEAM123456",
                topic: "app.other")
            try await world.control.setProvider(provider)
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox) == .misconfigured(code: "APNS_TOPICDISALLOWED"))
            provider.environment = .production
            try await world.control.setProvider(provider)
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .misconfigured(code: "APNS_BADENVIRONMENTKEYINTOKEN"))
            provider.keyID = "KEYREVOKED"
            try await world.control.setProvider(provider)
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .misconfigured(code: "APNS_INVALIDPROVIDERTOKEN"))
            #expect(world.log.text.contains("push_refused_by_configuration"))
        }
    }

    @Test func renewsATokenThatAPNsCallsExpiredAndRepeatsAtOnce() async throws {
        let shift = Mutex(0)
        // This machine's wall clock stands while real time goes on for APNs.
        let start = Date()
        let instant = ContinuousClock.now
        let clocks = ProviderTokens.Clocks(
            now: { start.addingTimeInterval(shift.withLock { $0 == 0 ? 0 : 3700 }) },
            instant: { instant + .seconds(shift.withLock { $0 == 0 ? 0 : 25 * 60 }) })
        try await withAPNs(
            clocks: clocks, apnsNow: { start.addingTimeInterval(shift.withLock { $0 == 0 ? 0 : 3700 }) }
        ) { (world: World) async throws in
            #expect(await world.routes.send(pushMessage(), to: .sandbox) == .delivered)
            shift.withLock { $0 = 1 }
            #expect(await world.routes.send(pushMessage(), to: .sandbox) == .delivered)
        }
    }

    @Test func aYoungTokenCalledExpiredMeansAWrongClock() async throws {
        try await withAPNs(apnsNow: { Date().addingTimeInterval(4000) }) { (world: World) async throws in
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .transient(code: "APNS_EXPIREDPROVIDERTOKEN", retryAfter: nil))
            #expect(try await world.control.count(of: .devicePush) == 1)
            #expect(world.log.text.contains("push_token_refused_as_expired"))
        }
    }
}
