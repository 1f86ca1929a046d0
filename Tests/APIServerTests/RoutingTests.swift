import HTTPTypes
import HostRuntime
import Testing

@testable import APIServer

@Suite struct RoutingTests {
    private let table = RouteTable([
        .get("/v1/things", nil, .open { _ in .json(.null) }),
        .post("/v1/things", nil, .open { _ in .json(.null) }),
        .delete("/v1/things/{id}", nil, .open { _ in .json(.null) }),
    ])

    @Test func findsRoutesAndTheirParameters() throws {
        guard case .route(let route, let parameters) = table.resolve(.delete, "/v1/things/7") else {
            Issue.record("no route")
            return
        }
        #expect(route.template == "/v1/things/{id}")
        #expect(parameters == ["id": "7"])
    }

    @Test(arguments: [HTTPRequest.Method.put, .head, .options])
    func answersAWrongMethodWithTheAllowedOnes(_ method: HTTPRequest.Method) {
        guard case .wrongMethod(let allowed, let template) = table.resolve(method, "/v1/things") else {
            Issue.record("not a wrong method")
            return
        }
        #expect(allowed == [.get, .post])
        #expect(template == "/v1/things")
    }

    @Test(arguments: ["/", "/v1", "/v1/things/", "/v1//things", "/v1/things/7/8", "/V1/things"])
    func knowsNothingElse(_ path: String) {
        guard case .unknown = table.resolve(.get, path) else {
            Issue.record("\(path) was found")
            return
        }
    }
}

@Suite struct MediaTypeTests {
    @Test func takesJSONInUTF8Only() {
        #expect(MediaType.isJSON(["application/json"]))
        #expect(MediaType.isJSON(["Application/JSON; Charset=UTF-8"]))
        let others = [
            [], ["text/json"], ["application/json; charset=latin1"], ["application/json", "application/json"],
        ]
        for values in others { #expect(!MediaType.isJSON(values), "\(values)") }
    }
}

@Suite struct ClientAddressTests {
    private let trusted = ["10.0.0.0/8", "fd00::/8"].compactMap(IPNetwork.init)

    private func client(_ peer: String, _ headers: HTTPFields) throws -> String {
        let peer = try #require(IPAddress(peer))
        return ClientAddress(peer: peer, headers: headers, trusted: trusted).address.description
    }

    private func forwarded(_ values: String...) -> HTTPFields {
        var headers = HTTPFields()
        for value in values { headers.append(HTTPField(name: .xForwardedFor, value: value)) }
        return headers
    }

    @Test func ignoresHeadersOfAStranger() throws {
        #expect(try client("192.0.2.1", forwarded("198.51.100.7")) == "192.0.2.1")
    }

    @Test func takesTheFirstUnlistedFromTheRight() throws {
        #expect(try client("10.0.0.1", forwarded("203.0.113.9, 198.51.100.7", "10.1.1.1")) == "198.51.100.7")
        #expect(try client("::ffff:10.0.0.1", forwarded("198.51.100.7")) == "198.51.100.7")
    }

    @Test func anUnparsableEntryEndsTheWalk() throws {
        #expect(try client("10.0.0.1", forwarded("198.51.100.7, unknown, 10.2.2.2")) == "10.2.2.2")
        #expect(try client("10.0.0.1", forwarded("198.51.100.7:80")) == "10.0.0.1")
    }

    @Test func takesTheLeftMostWhenAllAreListed() throws {
        #expect(try client("10.0.0.1", forwarded("10.3.3.3, 10.2.2.2")) == "10.3.3.3")
    }

    @Test func fallsBackToTheRealAddressHeaderAndThePeer() throws {
        #expect(try client("10.0.0.1", [.xRealIP: " 198.51.100.8 "]) == "198.51.100.8")
        #expect(try client("10.0.0.1", [:]) == "10.0.0.1")
    }

    @Test func readsAtMostThirtyTwoEntries() throws {
        let many = Array(repeating: "10.9.9.9", count: 40).joined(separator: ",")
        #expect(try client("10.0.0.1", forwarded("198.51.100.7," + many)) == "10.9.9.9")
    }

    @Test func limitsIPv6ByItsNetwork() throws {
        func subject(_ text: String) throws -> String {
            ClientAddress(peer: try #require(IPAddress(text)), headers: [:], trusted: []).limitSubject
        }
        #expect(try subject("2001:db8::1") == subject("2001:db8::ffff"))
        #expect(try subject("2001:db8::1") != subject("2001:db8:0:1::1"))
        #expect(try subject("::ffff:192.0.2.1") == "192.0.2.1")
    }
}
