import AsyncHTTPClient
import Foundation
import NIOHTTP1
import SimulatorKit
import Testing

@Suite struct FaultTests {
    /// Refreshes on a connection of its own: a pool may still hand out the one that was just reset.
    private func refreshAnew(_ world: World, _ token: String) async throws -> Int {
        let http = makeClient(trusting: world.endpoints.caFile, version: .automatic)
        let status = try? await World(endpoints: world.endpoints, control: world.control, http: http)
            .refresh(token).status
        try await http.shutdown()
        return try #require(status)
    }

    @Test func aLostAnswerStillRotatesTheToken() async throws {
        try await withWorld { world in
            try await world.control.setRotation(.strict)
            let token = try #require(try await world.connect()["refresh_token"])
            try await world.control.setFault(Fault(.refresh, effect: .reset, moment: .afterwards, times: 1))
            await #expect(throws: (any Error).self) { try await world.refresh(token) }
            #expect(try await refreshAnew(world, token) == 400)
            #expect(try await world.control.grant(account: "ada@example.com").liveRefreshTokens.count == 1)
        }
    }

    @Test func aResetBeforehandLeavesTheTokenAlone() async throws {
        try await withWorld { world in
            try await world.control.setRotation(.strict)
            let token = try #require(try await world.connect()["refresh_token"])
            try await world.control.setFault(Fault(.refresh, effect: .reset, times: 1))
            await #expect(throws: (any Error).self) { try await world.refresh(token) }
            #expect(try await refreshAnew(world, token) == 200)
        }
    }

    @Test(arguments: ["http1", "http2"])
    func answersWithTheStatusAskedForUntilCleared(_ version: String) async throws {
        try await withWorld(version: version == "http1" ? .http1Only : .automatic) { world in
            let token = try #require(try await world.connect()["access_token"])
            try await world.control.setFault(
                Fault(.calendarEvents, effect: .status(code: 429, retryAfterSeconds: 7)))
            let limited = try await world.events(token)
            #expect(limited.status == 429 && limited.headers.first(name: "retry-after") == "7")
            try await world.control.setFault(Fault(.apns, effect: .status(code: 500)))
            try await world.control.clearFaults(.google)
            #expect(try await world.events(token).status == 200)
            let calls = try await world.control.calls().first { $0.call == .calendarEvents }
            #expect(calls?.arrived == 2 && calls?.statuses == [429: 1, 200: 1])
        }
    }

    @Test func resetsAConnectionOfHTTP1Too() async throws {
        try await withWorld(version: .http1Only) { world in
            try await world.control.setFault(Fault(.keySet, effect: .reset, times: 1))
            let url = world.endpoints.clerk + "/.well-known/jwks.json"
            await #expect(throws: (any Error).self) { try await world.send(.GET, url) }
            try await withClient(trusting: world.endpoints.caFile, version: .http1Only) { http in
                let anew = World(endpoints: world.endpoints, control: world.control, http: http)
                let status = try await anew.send(.GET, url).status
                #expect(status == 200)
            }
        }
    }

    @Test func hangingCallsDoNotKeepTheSimulatorsFromStopping() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "simulators-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let clock = ContinuousClock()
        let (http, hanging, returned) = try await withSimulators(SimulatorConfiguration(stateFolder: folder.path)) {
            endpoints, control in
            let http = makeClient(trusting: endpoints.caFile, version: .automatic)
            let world = World(endpoints: endpoints, control: control, http: http)
            try await control.setFault(Fault(.keySet, effect: .hang))
            let hanging = Task { try await world.send(.GET, endpoints.clerk + "/.well-known/jwks.json").status }
            let limit = clock.now + .seconds(10)
            while try await control.count(of: .keySet) == 0, clock.now < limit {}
            #expect(try await control.count(of: .keySet) == 1)
            return (http, hanging, clock.now)
        }
        #expect(clock.now - returned < .seconds(5))
        #expect((try? await hanging.value) != 200)
        try await http.shutdown()
    }
}
