import Foundation
import NIOCore
import NIOHTTP1

extension SimulatorControl {
    /// Every notification so far, oldest first; repeats are counted in the first.
    public func deliveries() async throws -> [Delivery] {
        try await get("/apns/deliveries")
    }

    /// The first notification after sequence number `after`, waited for up to `deadline` (at most a minute).
    public func nextDelivery(after sequence: Int = 0, deadline: Duration) async throws -> Delivery? {
        let milliseconds = min(60_000, Int(deadline / .milliseconds(1)))
        let bytes = try await answer(
            .GET, "/apns/deliveries/next", ["after": String(sequence), "milliseconds": String(milliseconds)],
            Nothing?.none, Self.timeout + .milliseconds(Int64(milliseconds)))
        guard let bytes else { return nil }
        guard let delivery = try? JSONDecoder().decode(Delivery.self, from: bytes) else {
            throw SimulatorControlError.unreadable
        }
        return delivery
    }

    /// Forgets the notifications; sequence numbers go on.
    public func clearDeliveries() async throws {
        try await send(.DELETE, "/apns/deliveries")
    }

    /// What APNs says about a device token from now on.
    public func setDevice(_ token: String, _ state: DeviceState) async throws {
        try await send(.PUT, "/apns/devices", query: ["token": token], state)
    }

    /// The P-256 key, as PEM, that verifies provider tokens from now on; nil: only their shape is checked.
    public func setProviderKey(pem: String?) async throws {
        try await setProvider(PushProvider(key: pem))
    }

    /// Whom APNs takes notifications from.
    public func setProvider(_ provider: PushProvider) async throws {
        try await send(.PUT, "/apns/provider", provider)
    }
}
