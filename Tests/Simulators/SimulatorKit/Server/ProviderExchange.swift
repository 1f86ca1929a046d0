import Foundation
import HTTPTypes

/// One request as a provider sees it, with the whole body.
struct ProviderRequest: Sendable {
    var method: HTTPRequest.Method
    var path: String
    var query: FormFields
    /// The query as it was sent.
    var rawQuery: String
    var headers: HTTPFields
    var body: [UInt8]
    var isHTTP2: Bool
    /// What the client called the server: the `Host` header or `:authority`.
    var authority = ""
    /// Names the TCP connection, for rules that hold per connection.
    var connection = ""

    /// The form in the body; nil when the body is none.
    var form: FormFields? {
        let type = headers[.contentType]?.split(separator: ";").first?.trimmingCharacters(in: .whitespaces)
        guard type?.lowercased() == "application/x-www-form-urlencoded" else { return nil }
        return String(validating: body, as: UTF8.self).flatMap { FormFields($0) }
    }

    /// What follows `Bearer ` in the authorization header, whatever its case.
    var bearer: String? {
        guard let value = headers[.authorization], value.lowercased().hasPrefix("bearer ") else { return nil }
        let token = value.dropFirst("bearer ".count).trimmingCharacters(in: .whitespaces)
        return token.isEmpty ? nil : token
    }
}

/// One answer of a provider.
struct ProviderResponse: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields = [:]
    var body: [UInt8] = []

    static func json(
        _ value: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> ProviderResponse {
        var headers = headers
        headers[.contentType] = "application/json; charset=utf-8"
        return ProviderResponse(status: status, headers: headers, body: value.bytes)
    }

    static func html(_ text: String, status: HTTPResponse.Status = .ok) -> ProviderResponse {
        ProviderResponse(
            status: status, headers: [.contentType: "text/html; charset=utf-8"], body: Array(text.utf8))
    }

    static func redirect(to location: String) -> ProviderResponse {
        ProviderResponse(status: .found, headers: [.location: location, .cacheControl: "no-store"])
    }
}

/// A stand-in for one provider: names each request, then answers it.
protocol ProviderSimulator: Sendable {
    /// Which call a request is; nil when the provider has no such endpoint.
    func call(of request: ProviderRequest) -> ProviderCall?
    func answer(_ call: ProviderCall, _ request: ProviderRequest) async -> ProviderResponse
    /// The answer where the provider has no such endpoint.
    func unknownEndpoint(_ request: ProviderRequest) -> ProviderResponse
}
