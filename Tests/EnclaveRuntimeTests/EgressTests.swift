import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Testing

@testable import EnclaveRuntime

/// Egress against real TLS, reached by a route as in an enclave: the URL says google.test, the connection goes here.
@Suite(.serialized) struct EgressTests {
    private static let ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n"

    private func egress(
        to server: TLSServer, roots: String? = nil, host: String = "google.test"
    ) throws -> (Egress, ProviderURL) {
        let configuration = try testConfiguration([
            "GOOGLE_OAUTH_TOKEN_URL": "https://\(host)/token", "GOOGLE_GMAIL_BASE_URL": "https://\(host)",
            "EGRESS_CA_FILE": roots ?? server.certificate,
            "ENCLAVE_EGRESS_ROUTES": "\(host):443=tcp://127.0.0.1:\(server.port)",
        ])
        let egress = try #require(
            Egress(configuration.google, configuration.egress, log: Log(level: .error, json: true)))
        return (egress, configuration.google.gmailURL)
    }

    private func read(
        _ egress: Egress, _ base: ProviderURL, _ target: String, milliseconds: Int = 5000
    ) throws(ProviderFault) -> PublicReply {
        try egress.get(
            base, target: target, bearer: SecretBytes(copying: Array("token".utf8)), milliseconds: milliseconds)
    }

    private func fault(_ body: () throws(ProviderFault) -> Void) -> ProviderFault? {
        do throws(ProviderFault) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func readsOverVerifiedTLS() throws {
        let server = try TLSServer(
            name: "google.test", files: ["ok": "\(Self.ok)Retry-After: 9\r\n\r\nhello", "moved": Self.moved])
        let (egress, base) = try egress(to: server)
        let reply = try read(egress, base, "/ok")
        #expect(reply.status == 200)
        #expect(reply.body == Array("hello".utf8))
        #expect(reply.retryAfterSeconds == 9)
        // A redirect is an answer, never a second request.
        #expect(try read(egress, base, "/moved").status == 302)
    }

    private static let moved = "HTTP/1.1 302 Found\r\nLocation: https://google.test/ok\r\nConnection: close\r\n\r\n"

    @Test func refusesAnotherNameAndAnUnknownRoot() throws {
        let server = try TLSServer(name: "other.test", files: ["ok": "\(Self.ok)\r\nhello"])
        let (wrongName, base) = try egress(to: server)
        #expect(fault { () throws(ProviderFault) in _ = try read(wrongName, base, "/ok") } == .unavailable)
        let stranger = try TLSServer(name: "google.test", files: ["ok": "\(Self.ok)\r\nhello"])
        let (wrongRoot, _) = try egress(to: stranger, roots: server.certificate)
        #expect(fault { () throws(ProviderFault) in _ = try read(wrongRoot, base, "/ok") } == .unavailable)
        let (publicRoots, _) = try egress(to: stranger, roots: "/etc/ssl/certs/ca-certificates.crt")
        #expect(fault { () throws(ProviderFault) in _ = try read(publicRoots, base, "/ok") } == .unavailable)
    }

    @Test func stopsReadingAtTheCap() throws {
        let half = String(repeating: "x", count: Limits.maximumProviderBodyBytes)
        let server = try TLSServer(
            name: "google.test", files: ["full": "\(Self.ok)\r\n\(half)", "over": "\(Self.ok)\r\n\(half)x"])
        let (egress, base) = try egress(to: server)
        #expect(try read(egress, base, "/full").body.count == Limits.maximumProviderBodyBytes)
        #expect(fault { () throws(ProviderFault) in _ = try read(egress, base, "/over") } == .tooLarge)
    }

    @Test func connectsToConfiguredHostsOnly() throws {
        let server = try TLSServer(name: "google.test", files: ["ok": "\(Self.ok)\r\nhello"])
        let (egress, _) = try egress(to: server)
        let other = try #require(ProviderURL("https://localhost:\(server.port)"))
        #expect(fault { () throws(ProviderFault) in _ = try read(egress, other, "/ok") } == .hostRefused)
        let plain = try #require(ProviderURL("http://google.test:443"))
        #expect(fault { () throws(ProviderFault) in _ = try read(egress, plain, "/ok") } == .hostRefused)
    }

    @Test func endsWithItsDeadline() throws {
        // Accepts connections and never says a word.
        let silent = try SilentServer()
        let server = try TLSServer(name: "google.test", files: [:])
        let configuration = try testConfiguration([
            "GOOGLE_GMAIL_BASE_URL": "https://google.test", "EGRESS_CA_FILE": server.certificate,
            "ENCLAVE_EGRESS_ROUTES": "google.test:443=tcp://127.0.0.1:\(silent.port)",
        ])
        let egress = try #require(
            Egress(configuration.google, configuration.egress, log: Log(level: .error, json: true)))
        let start = MonotonicInstant.now
        #expect(
            fault { () throws(ProviderFault) in
                _ = try read(egress, configuration.google.gmailURL, "/ok", milliseconds: 200)
            } == .unavailable)
        #expect(MonotonicInstant.now.milliseconds(after: start) < 3000)
    }

    @Test func neverTakesAFileWithoutCertificates() throws {
        let folder = try TemporaryFolder()
        let configuration = try testConfiguration(["EGRESS_CA_FILE": try folder.write("none.pem", "no certificate")])
        #expect(Egress(configuration.google, configuration.egress, log: Log(level: .error, json: true)) == nil)
    }
}

/// A TCP port with a backlog and nobody who reads.
final class SilentServer {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        self.descriptor = descriptor
        try #require(bound)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}
