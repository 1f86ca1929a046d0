import LocalStack
import Testing

/// Tests that start the whole system; one after the other, for each has four processes and two servers.
@Suite(.serialized) enum EndToEnd {}

/// Runs `body` with a started system of its own, and removes it whatever happens.
func withStack(
    _ name: String, _ change: (inout StackSettings) -> Void = { _ in }, _ body: (LocalStack) async throws -> Void
) async throws {
    try await withPreparedStack(name, change) { stack in
        try await stack.startAll()
        try await body(stack)
    }
}

/// The same without a process started: servers, keys and schema are there.
func withPreparedStack(
    _ name: String, _ change: (inout StackSettings) -> Void = { _ in }, _ body: (LocalStack) async throws -> Void
) async throws {
    var settings = StackSettings.forTest(name)
    change(&settings)
    let stack = LocalStack(settings)
    do {
        try await stack.prepare()
        try await body(stack)
        await stack.remove()
    } catch {
        for component in Component.allCases {
            guard let tail = try? await stack.process(component).logTail(8) else { continue }
            print("--- \(component.rawValue)\n\(tail)")
        }
        await stack.remove()
        throw error
    }
}
