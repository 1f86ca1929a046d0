import EnclaveProtocol
import HTTPTypes
import HostRuntime
import Hummingbird
import NIOCore

/// Answers every request: routes it, checks it in the fixed order, runs its handler, and tells it in the access log.
struct APIResponder: HTTPResponder {
    typealias Context = ConnectionContext

    let table: RouteTable
    let gate: RequestGate
    let accessLog: AccessLog
    private let deadlines: RequestDeadlines
    private static let modelRoute = "/v1/assistant/query"

    /// `timeout` is the longest time of one request.
    init(table: RouteTable, gate: RequestGate, accessLog: AccessLog, timeout: Duration) {
        self.table = table
        self.gate = gate
        self.accessLog = accessLog
        deadlines = RequestDeadlines(limit: timeout)
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let started = ContinuousClock.now
        let requestID = RequestID.accepting(request.headers[.xRequestID])
        let trace = TraceContext.continuing(request.headers[.traceparent])
        let log = accessLog.log.with(requestID: requestID, trace: trace)
        let resolution = table.resolve(request.method, request.uri.path)

        var limit = HTTPFields()
        let answer: APIAnswer
        do throws(APIError) {
            guard case .route(let route, let parameters) = resolution else { throw Self.refusal(of: resolution) }
            let admitted = AdmittedRequest(
                route: route, parameters: parameters, request: request, peer: context.peer, requestID: requestID,
                trace: trace, log: log)
            // A model is paid by the word: nobody is asked for a client that has gone.
            let presence = route.template == Self.modelRoute ? context.presence : nil
            let outcome = try await withinTimeout(context, presence) { await gate.answer(admitted) }
            limit = outcome.limitHeaders
            answer = try outcome.answer.get()
        } catch {
            if case .route(let route, _) = resolution, !route.answeredErrors.contains(error.code) {
                log.event("undeclared_error", .error, [LogField(.code, error.code.code)])
            }
            answer = APIAnswer(refusing: error, request: request.headers, requestID: requestID)
        }
        let record = AccessRecord(
            method: request.method.rawValue, route: resolution.template, status: answer.status.code,
            latency: ContinuousClock.now - started)
        accessLog.write(record, to: log)
        return Response(answer, extra: limit, requestID: requestID, withoutBody: request.method == .head)
    }

    private static func refusal(of resolution: RouteTable.Resolution) -> APIError {
        guard case .wrongMethod(let allowed, _) = resolution else { return APIError(.notFound) }
        return APIError(allowing: allowed)
    }

    private func withinTimeout(
        _ context: ConnectionContext, _ presence: ClientPresence?,
        _ body: @escaping @Sendable () async -> RequestGate.Outcome
    ) async throws(APIError) -> RequestGate.Outcome {
        do {
            return try await deadlines.run(on: context.executor, presence: presence, body)
        } catch {
            throw APIError(.requestTimeout)
        }
    }
}

extension RouteTable.Resolution {
    /// For logs and metrics: a template, never a path.
    var template: String {
        switch self {
        case .route(let route, _): route.template
        case .wrongMethod(_, let template): template
        case .unknown: AccessRecord.unmatched
        }
    }
}

extension APIAnswer {
    /// The error envelope.
    init(refusing error: APIError, request headers: HTTPFields, requestID: RequestID) {
        let envelope = ErrorEnvelope.render(error, accept: headers[.accept], requestID: requestID.text)
        self.init(
            status: HTTPResponse.Status(code: error.code.status), headers: error.headers,
            contentType: envelope.contentType, body: envelope.body)
    }
}

extension Response {
    /// An answer to HEAD has every header, the length included, and no body.
    fileprivate init(_ answer: APIAnswer, extra: HTTPFields, requestID: RequestID, withoutBody: Bool) {
        var headers = answer.headers
        headers.append(contentsOf: extra)
        headers.append(HTTPField(name: .xRequestID, value: requestID.text))
        headers.append(HTTPField(name: .cacheControl, value: "no-store"))
        headers.append(HTTPField(name: .xContentTypeOptions, value: "nosniff"))
        headers.append(HTTPField(name: .contentType, value: answer.contentType))
        headers.append(HTTPField(name: .contentLength, value: String(answer.body.count)))
        let body = withoutBody ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
        self.init(status: answer.status, headers: headers, body: body)
    }
}
