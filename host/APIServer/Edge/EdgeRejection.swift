import HTTPTypes
import HostRuntime
import NIOHTTP1

/// The answer to a request that no handler sees.
struct EdgeRejection {
    let requestID: RequestID
    let head: HTTPResponseHead
    let body: [UInt8]

    /// With the header fields of the request: none where the head could not be read.
    init(_ code: APIErrorCode, _ request: HTTPHeaders) {
        requestID = RequestID.accepting(request.first(name: "x-request-id"))
        let error = APIError(code)
        let envelope = ErrorEnvelope.render(error, accept: request.first(name: "accept"), requestID: requestID.text)
        body = envelope.body
        var headers = HTTPHeaders(error.headers.map { ($0.name.canonicalName, $0.value) })
        headers.add(name: "x-request-id", value: requestID.text)
        headers.add(name: "cache-control", value: "no-store")
        headers.add(name: "x-content-type-options", value: "nosniff")
        headers.add(name: "content-type", value: envelope.contentType)
        headers.add(name: "content-length", value: String(envelope.body.count))
        headers.add(name: "connection", value: "close")
        head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: code.status), headers: headers)
    }
}
