import HostProcess

/// GET `/healthz` and `/readyz`, on every listener.
struct HealthHandlers: Sendable {
    let readiness: Readiness

    var routes: [Route] {
        [.get("/healthz", nil, .open(health)), .get("/readyz", nil, .open(ready))]
    }

    @Sendable private func health(_ call: APICall) async throws(APIError) -> APIAnswer {
        .json(.object(["ok": .bool(true)]))
    }

    @Sendable private func ready(_ call: APICall) async throws(APIError) -> APIAnswer {
        if let refusal = readiness.refusal { throw APIError(APIErrorCode(refusal)) }
        let checks = readiness.report.map { name, verdict in
            JSONValue.Member(name: name.rawValue, value: .string(verdict.rawValue))
        }
        return .json(.object(["ok": .bool(true), "checks": .members(checks)]))
    }
}

extension APIErrorCode {
    fileprivate init(_ refusal: Readiness.Refusal) {
        self =
            switch refusal {
            case .draining: .draining
            case .databaseUnavailable: .databaseUnavailable
            case .schemaOutdated: .schemaOutdated
            }
    }
}
