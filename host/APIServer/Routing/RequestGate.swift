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

    /// For listeners whose routes are open and unlimited.
    static let openRoutes = RequestGate(authenticator: nil, limiter: nil, trustedProxies: [])

    /// An answer or a refusal, and the headers of the limit if one was asked.
    struct Outcome: Sendable {
        let answer: Result<APIAnswer, APIError>
        let limitHeaders: HTTPFields
    }

    func answer(_ admitted: AdmittedRequest) async -> Outcome {
        var limit = HTTPFields()
        do throws(APIError) {
            let client = ClientAddress(
                peer: admitted.peer.address, headers: admitted.request.headers, trusted: trustedProxies)
            switch admitted.route.handler {
            case .open(let handle):
                try await admit(admitted.route.bucket, client.limitSubject, &limit)
                let call = try await call(admitted)
                return Outcome(answer: .success(try await handle(call)), limitHeaders: limit)
            case .user(let handle):
                guard let authenticator else { throw APIError(.unauthorized) }
                let user = try await authenticator.user(admitted.request.headers, from: client, log: admitted.log)
                try await admit(admitted.route.bucket, user.uuid.lowercased, &limit)
                let call = try await call(admitted)
                return Outcome(answer: .success(try await handle(call, user)), limitHeaders: limit)
            }
        } catch {
            return Outcome(answer: .failure(error), limitHeaders: limit)
        }
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
        APICall(
            requestID: admitted.requestID, trace: admitted.trace, log: admitted.log, parameters: admitted.parameters,
            query: admitted.request.uri.query,
            body: admitted.route.takesJSON ? try await json(of: admitted.request) : .none)
    }

    private func json(of request: Request) async throws(APIError) -> RequestFields {
        guard MediaType.isJSON(request.headers[values: .contentType]) else { throw APIError(.unsupportedMediaType) }
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
        return try RequestFields(bytes)
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

extension SocketAddress? {
    /// The peer's address; a local socket counts as loopback.
    fileprivate var address: IPAddress {
        if let text = self?.ipAddress, let address = IPAddress(String(text.prefix { $0 != "%" })) { return address }
        guard let loopback = IPAddress("127.0.0.1") else { preconditionFailure("127.0.0.1 is an address") }
        return loopback
    }
}
