import HTTPTypes

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
    /// Rows without placeholders, by path: most requests end here.
    private let literals: [String: [Route]]

    init(_ routes: [Route]) {
        let parsed = routes.map { route in (segments: Self.segments(route.template), route: route) }
        rows = Dictionary(grouping: parsed) { $0.segments.count }
        literals = Dictionary(grouping: routes.filter { !$0.template.contains("{") }, by: \.template)
    }

    func resolve(_ method: HTTPRequest.Method, _ path: String) -> Resolution {
        if let route = literals[path]?.first(where: { $0.method == method }) { return .route(route, parameters: [:]) }
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
