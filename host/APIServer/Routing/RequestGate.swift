import EnclaveProtocol
import HTTPTypes
import HostRuntime
import Hummingbird
import NIOCore

/// A request whose route is known.
struct AdmittedRequest: Sendable {
    let route: Route
    let parameters: [String: String]
    let request: Request
    let peer: SocketAddress?
    let requestID: RequestID
    let trace: TraceContext
    let log: HostLog
}

/// The checks between route and handler, in the order of the contract; the first that fails answers.
struct RequestGate: Sendable {
    /// Nil on listeners without users: every route that needs one is refused.
    let authenticator: Authenticator?
    /// Nil on listeners without limits: every route that has one is refused.
    let limiter: (any RateLimiting)?
    let trustedProxies: [IPNetwork]
    /// Nil on listeners without users.
    let repeatable: RepeatableRequests?

    /// For listeners whose routes are open and unlimited.
    static let openRoutes = RequestGate(authenticator: nil, limiter: nil, trustedProxies: [], repeatable: nil)

    /// An answer or a refusal, and the headers of the limit if one was asked.
    struct Outcome: Sendable {
        let answer: Result<APIAnswer, APIError>
        let limitHeaders: HTTPFields
    }

    func answer(_ admitted: AdmittedRequest) async -> Outcome {
        var limit = HTTPFields()
        do throws(APIError) {
            let client = ClientSource(
                peer: admitted.peer, headers: admitted.request.headers, trusted: trustedProxies)
            switch admitted.route.handler {
            case .open(let handle):
                try await admit(admitted.route.bucket, client.address.limitSubject, &limit)
                let call = try await call(admitted)
                return Outcome(answer: .success(try await handle(call)), limitHeaders: limit)
            case .user(let handle), .formerUser(let handle):
                let user = try await user(of: admitted, from: client)
                try await admit(admitted.route.bucket, user.uuid.lowercased, &limit)
                let call = try await call(admitted)
                let answer = try await repeatable(admitted, call, user) { () throws(APIError) in
                    try await handle(call, user)
                }
                return Outcome(answer: .success(answer), limitHeaders: limit)
            }
        } catch {
            return Outcome(answer: .failure(error), limitHeaders: limit)
        }
    }

    private func user(of admitted: AdmittedRequest, from client: ClientSource) async throws(APIError) -> UserID {
        guard let authenticator else { throw APIError(.unauthorized) }
        let admitsDeleted = if case .formerUser = admitted.route.handler { true } else { false }
        return try await authenticator.user(
            admitted.request.headers, from: client, admitsDeleted: admitsDeleted, log: admitted.log)
    }

    /// Runs the handler, or repeats what it answered before to the same request.
    private func repeatable(
        _ admitted: AdmittedRequest, _ call: APICall, _ user: UserID,
        _ work: () async throws(APIError) -> APIAnswer
    ) async throws(APIError) -> APIAnswer {
        guard admitted.route.isRepeatable, let key = call.idempotencyKey else { return try await work() }
        guard let repeatable else { throw APIError(.internalError) }
        return try await repeatable.answer(
            call, user, route: admitted.route, key: key,
            rendering: {
                APIAnswer(refusing: $0, request: admitted.request.headers, requestID: admitted.requestID)
            }, work)
    }

    private func admit(
        _ bucket: RateBucket?, _ subject: String, _ headers: inout HTTPFields
    ) async throws(APIError) {
        guard let bucket else { return }
        guard let limiter else { throw APIError(.internalError) }
        let decision = await limiter.admit(bucket, subject: subject)
        headers = decision.headers(of: bucket)
        guard decision.isAllowed else { throw APIError(.rateLimited, retryAfterSeconds: decision.resetSeconds) }
    }

    private func call(_ admitted: AdmittedRequest) async throws(APIError) -> APICall {
        let fields = try await fields(of: admitted.request, admitted.route.body)
        return APICall(
            requestID: admitted.requestID, trace: admitted.trace, log: admitted.log, parameters: admitted.parameters,
            query: admitted.request.uri.query, body: fields,
            idempotencyKey: admitted.route.isRepeatable ? try IdempotencyKey.read(admitted.request.headers) : nil)
    }

    private func fields(of request: Request, _ kind: Route.Body) async throws(APIError) -> RequestFields {
        guard kind != .none else { return .none }
        let isJSON = MediaType.isJSON(request.headers[values: .contentType])
        switch kind {
        case .none: return .none
        case .required:
            guard isJSON else { throw APIError(.unsupportedMediaType) }
            return try RequestFields(await bytes(of: request))
        case .optional:
            let bytes = try await bytes(of: request)
            guard !bytes.isEmpty else { return .none }
            guard isJSON else { throw APIError(.unsupportedMediaType) }
            return try RequestFields(bytes)
        }
    }

    private func bytes(of request: Request) async throws(APIError) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await var part in request.body {
                bytes += part.readBytes(length: part.readableBytes) ?? []
                guard bytes.count <= EdgeLimits.maximumBodyBytes else { throw APIError(.payloadTooLarge) }
            }
        } catch let error as APIError {
            throw error
        } catch {
            // The connection ended within the body; nobody is left to read the answer.
            throw APIError(.invalidRequest)
        }
        return bytes
    }
}

/// The one media type of request bodies.
enum MediaType {
    /// `application/json`, with no parameter or `charset=utf-8`.
    static func isJSON(_ values: [String]) -> Bool {
        guard values.count == 1, let value = values.first else { return false }
        let parts = value.lowercased().split(separator: ";", omittingEmptySubsequences: false).map {
            String($0).trimmedOfWhiteSpace
        }
        guard parts.first == "application/json" else { return false }
        return parts.dropFirst().allSatisfy { $0 == "charset=utf-8" || $0 == "charset=\"utf-8\"" }
    }
}
