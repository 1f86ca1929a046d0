import Foundation
import SimulatorKit
import Testing

@Suite struct SecureModuleTests {
    private let socket = FileManager.default.temporaryDirectory.appending(
        path: "nsm-\(UUID().uuidString.prefix(8))"
    ).path

    @Test func listensWhereItIsToldAndStatesTheImageItIsToldTo() async throws {
        try await withWorld { world in
            try await world.control.putSecureModule(SecureModuleSettings(socket: socket, image: "one"))
            try await world.control.putSecureModule(SecureModuleSettings(socket: socket + "b", image: "one"))
            let first = try await world.control.secureModules()
            #expect(first.map(\.socket) == [socket, socket + "b"])
            #expect(first[0].measurement == first[1].measurement)
            #expect(first[0].moduleID != first[1].moduleID)
            #expect(first[0].registers.count == 32)
            #expect(FileManager.default.fileExists(atPath: socket))

            try await world.control.putSecureModule(SecureModuleSettings(socket: socket, image: "two", role: nil))
            let second = try await world.control.secureModules()
            #expect(second[0].measurement != first[0].measurement)
            #expect(second[0].registers[3] == String(repeating: "0", count: 96))
            #expect(second[1] == first[1])
            let root = try String(contentsOfFile: world.endpoints.nitroRootFile, encoding: .utf8)
            #expect(root.hasPrefix("-----BEGIN CERTIFICATE-----\n"))
        }
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    @Test func misbehavesThroughTheControlAPI() async throws {
        try await withWorld { world in
            for misbehaviour: Misbehaviour in [.silence, .clock(offsetSeconds: -3600), .error(.internalError)] {
                try await world.control.setSecureModuleBehaviour(misbehaviour, times: 1)
            }
            try await world.control.setSecureModuleBehaviour(nil)
            await #expect(throws: SimulatorControlError.self) {
                try await world.control.putSecureModule(SecureModuleSettings(socket: "/nowhere/at/all"))
            }
        }
    }
}
