import AsyncHTTPClient
import Foundation
import NIOHTTP1
import SimulatorKit
import Testing

@Suite struct TrustTests {
    @Test func aClientWithoutTheCARefusesTheServer() async throws {
        try await withWorld { world in
            let url = world.endpoints.clerk + "/.well-known/jwks.json"
            #expect(try await world.send(.GET, url).status == 200)
            #expect(
                try await world.send(.GET, url.replacingOccurrences(of: "localhost", with: "127.0.0.1")).status == 200)
            try await withClient(trusting: nil) { http in
                let stranger = World(endpoints: world.endpoints, control: world.control, http: http)
                await #expect(throws: (any Error).self) { try await stranger.send(.GET, url) }
            }
        }
    }

    @Test func theCASurvivesARestartAndItsKeyIsPrivate() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "simulators-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let configuration = SimulatorConfiguration(stateFolder: folder.path)
        let first = try await withSimulators(configuration) { endpoints, _ in
            let written = folder.appending(path: Simulators.endpointsFile)
            let limit = ContinuousClock.now + .seconds(10)
            while !FileManager.default.fileExists(atPath: written.path), ContinuousClock.now < limit {
                await Task.yield()
            }
            let read = try JSONDecoder().decode(SimulatorEndpoints.self, from: Data(contentsOf: written))
            #expect(read == endpoints)
            return try String(contentsOfFile: endpoints.caFile, encoding: .utf8)
        }
        let second = try await withSimulators(configuration) { endpoints, _ in
            try String(contentsOfFile: endpoints.caFile, encoding: .utf8)
        }
        #expect(first == second)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.appending(path: "ca.key").path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
}
