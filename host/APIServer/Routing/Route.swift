import EnclaveProtocol
import HTTPTypes

/// One row of the route table.
struct Route: Sendable {
    /// Who may call, and what then answers.
    enum Handler: Sendable {
        /// Without authentication.
        case open(@Sendable (APICall) async throws(APIError) -> APIAnswer)
        /// With a verified user; a handler of this kind cannot be called without one.
        case user(@Sendable (APICall, UserID) async throws(APIError) -> APIAnswer)
    }

    let method: HTTPRequest.Method
    /// Literal segments and placeholders: `/v1/connectors/{connector_id}`.
    let template: String
    /// Limit on calls, per user or per client address.
    let bucket: RateBucket?
    /// Whether a JSON body is read.
    let takesJSON: Bool
    let handler: Handler

    static func get(
        _ template: String, _ bucket: RateBucket?, _ handler: Handler
    ) -> Route {
        Route(method: .get, template: template, bucket: bucket, takesJSON: false, handler: handler)
    }

    static func delete(_ template: String, _ bucket: RateBucket?, _ handler: Handler) -> Route {
        Route(method: .delete, template: template, bucket: bucket, takesJSON: false, handler: handler)
    }

    /// POST with a JSON body.
    static func post(_ template: String, _ bucket: RateBucket?, _ handler: Handler) -> Route {
        Route(method: .post, template: template, bucket: bucket, takesJSON: true, handler: handler)
    }

    /// PUT with a JSON body.
    static func put(_ template: String, _ bucket: RateBucket?, _ handler: Handler) -> Route {
        Route(method: .put, template: template, bucket: bucket, takesJSON: true, handler: handler)
    }
}

/// The one table from which requests are routed and wrong methods are answered.
struct RouteTable: Sendable {
    /// What a request's method and path lead to.
    enum Resolution: Sendable {
        case route(Route, parameters: [String: String])
        /// The path exists; the methods it takes, and its template.
        case wrongMethod(allowed: [HTTPRequest.Method], template: String)
        case unknown
    }

    /// Rows by number of segments.
    private let rows: [Int: [(segments: [Substring], route: Route)]]

    init(_ routes: [Route]) {
        let parsed = routes.map { route in (segments: Self.segments(route.template), route: route) }
        rows = Dictionary(grouping: parsed) { $0.segments.count }
    }

    func resolve(_ method: HTTPRequest.Method, _ path: String) -> Resolution {
        let segments = Self.segments(path)
        let matches = (rows[segments.count] ?? []).compactMap { row -> (Route, [String: String])? in
            Self.match(row.segments, segments).map { (row.route, $0) }
        }
        if let (route, parameters) = matches.first(where: { $0.0.method == method }) {
            return .route(route, parameters: parameters)
        }
        guard let template = matches.first?.0.template else { return .unknown }
        let allowed = matches.map(\.0.method)
        return .wrongMethod(allowed: allowed.sorted { $0.rawValue < $1.rawValue }, template: template)
    }

    private static func segments(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }

    private static func match(_ template: [Substring], _ path: [Substring]) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (expected, given) in zip(template, path) {
            if expected.hasPrefix("{") {
                guard !given.isEmpty else { return nil }
                parameters[String(expected.dropFirst().dropLast())] = String(given)
            } else if expected != given {
                return nil
            }
        }
        return parameters
    }
}
