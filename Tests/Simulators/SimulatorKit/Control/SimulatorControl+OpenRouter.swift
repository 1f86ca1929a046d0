import Foundation
import NIOHTTP1

extension SimulatorControl {
    /// How OpenRouter answers from now on.
    public func setOpenRouter(_ behaviour: OpenRouterBehaviour) async throws {
        try await send(.PUT, "/openrouter/behaviour", behaviour)
    }

    /// What OpenRouter was asked, oldest first.
    public func openRouterRequests() async throws -> [OpenRouterRequest] { try await get("/openrouter/requests") }

    /// How many completions OpenRouter made, and would charge.
    public func openRouterCompletions() async throws -> Int {
        let answer: [String: Int] = try await get("/openrouter/completions")
        guard let count = answer["count"] else { throw SimulatorControlError.unreadable }
        return count
    }

    /// Forgets what OpenRouter was asked.
    public func clearOpenRouter() async throws { try await send(.DELETE, "/openrouter/requests") }
}
