import Foundation
import NIOHTTP1
public import SimulatedNitro

extension SimulatorControl {
    /// The secure modules and what they state.
    public func secureModules() async throws -> [SecureModuleDescription] {
        try await get("/nitro/modules")
    }

    /// Starts a secure module, or boots the enclave of the one at this socket anew with another image or role.
    public func putSecureModule(_ settings: SecureModuleSettings) async throws {
        try await send(.PUT, "/nitro/modules", settings)
    }

    /// Tells one secure module, or all of them, to misbehave for `times` answers or until told otherwise; nil: behaves.
    public func setSecureModuleBehaviour(
        _ misbehaviour: Misbehaviour?, socket: String? = nil, times: Int? = nil
    ) async throws {
        try await send(
            .PUT, "/nitro/behaviour", query: ["socket": socket, "times": times.map { String($0) }], misbehaviour)
    }
}
