import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import ServiceLifecycle

/// What a request brings along besides itself: the connection, so that a fault can reset it.
struct ProviderContext: InitializableFromSource {
    let connection: PeerConnection

    init(source: ApplicationRequestContextSource) {
        connection = PeerConnection(channel: source.channel)
    }
}

/// Counts each request, lets the switched-on fault happen, and asks the provider for the answer.
struct ProviderResponder<Simulator: ProviderSimulator>: HTTPResponder {
    typealias Context = ProviderContext

    /// Longest body that is read: far above what any client of a provider sends.
    static var maximumBodyBytes: Int { 256 * 1024 }
    /// How long a hanging answer hangs.
    static var hang: Duration { .seconds(600) }

    let simulator: Simulator
    let ledger: Ledger
    let faults: FaultBoard

    func respond(to request: Request, context: ProviderContext) async throws -> Response {
        guard let incoming = try await read(request, context) else {
            return Response(status: .contentTooLarge)
        }
        guard let call = simulator.call(of: incoming) else {
            return response(simulator.unknownEndpoint(incoming))
        }
        await ledger.arrived(call)
        do {
            let answer = try await answer(call, incoming, context.connection)
            await ledger.answered(call, status: answer.status.code)
            return response(answer)
        } catch {
            await ledger.ended(call)
            throw error
        }
    }

    private func answer(
        _ call: ProviderCall, _ incoming: ProviderRequest, _ connection: PeerConnection
    ) async throws -> ProviderResponse {
        guard let fault = await faults.take(for: call) else { return await simulator.answer(call, incoming) }
        if fault.latencyMilliseconds > 0 {
            try await wait(.milliseconds(fault.latencyMilliseconds))
        }
        guard let effect = fault.effect else { return await simulator.answer(call, incoming) }
        if case .maximumStreams(let count) = effect {
            try await connection.setMaximumStreams(count)
            return await simulator.answer(call, incoming)
        }
        if case .goAway(refusingThis: false) = effect {
            try await connection.goAway(refusingThis: false)
            return await simulator.answer(call, incoming)
        }
        if fault.moment == .afterwards {
            _ = await simulator.answer(call, incoming)
        }
        return try await apply(effect, connection)
    }

    private func apply(_ effect: Fault.Effect, _ connection: PeerConnection) async throws -> ProviderResponse {
        switch effect {
        case .status(let code, let retryAfterSeconds, let body):
            var headers: HTTPFields = [:]
            if let seconds = retryAfterSeconds, let name = HTTPField.Name("Retry-After") {
                headers[name] = String(seconds)
            }
            return .json(body ?? [:], status: .init(code: code), headers: headers)
        case .invalidGrant:
            return GoogleError.invalidGrant("Token has been expired or revoked.").response
        case .reset:
            try await connection.reset()
        case .goAway(let refusingThis):
            try await connection.goAway(refusingThis: refusingThis)
        case .maximumStreams(let count):
            try await connection.setMaximumStreams(count)
        case .hang:
            try await wait(Self.hang)
        }
        return ProviderResponse(status: .serviceUnavailable)
    }

    /// Waits, but not longer than until the simulators are told to stop.
    private func wait(_ duration: Duration) async throws {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }

    private func read(_ request: Request, _ context: ProviderContext) async throws -> ProviderRequest? {
        guard let body = try? await request.body.collect(upTo: Self.maximumBodyBytes),
            let query = FormFields(request.uri.query ?? "")
        else { return nil }
        return ProviderRequest(
            method: request.method, path: request.uri.path, query: query, rawQuery: request.uri.query ?? "",
            headers: request.headers, body: Array(body.readableBytesView),
            isHTTP2: try await context.connection.isHTTP2(), authority: request.head.authority ?? "",
            connection: context.connection.name)
    }

    private func response(_ answer: ProviderResponse) -> Response {
        Response(
            status: answer.status, headers: answer.headers, body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}
