import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// Egress by the relay, as it leads to vsock: a Unix socket stands at the far end, for vsock has no peer here.
@Suite(.serialized) struct EgressRelayTests {
    private static let ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

    private func egress(_ route: Endpoint, roots: String) throws -> (Egress, ProviderURL) {
        let base = try #require(ProviderURL("https://google.test"))
        let egress = try #require(
            Egress(
                hosts: [base.origin], EgressConfiguration(rootsFile: roots, routes: [base.origin: route]),
                log: Log(level: .error, json: true)))
        return (egress, base)
    }

    private func read(
        _ egress: Egress, _ base: ProviderURL, _ target: String, milliseconds: Int = 20_000
    ) throws(ProviderFault) -> PublicReply {
        try egress.get(
            base, target: target, bearer: SecretBytes(copying: Array("token".utf8)), milliseconds: milliseconds)
    }

    @Test func carriesVerifiedTLSBothWays() throws {
        let large = String(repeating: "x", count: Limits.maximumProviderBodyBytes)
        let server = try TLSServer(
            name: "google.test", files: ["small": "\(Self.ok)hello", "large": "\(Self.ok)\(large)"], onUnixSocket: true)
        let (egress, base) = try egress(.unix(path: server.path), roots: server.certificate)
        #expect(try read(egress, base, "/small").body == Array("hello".utf8))
        #expect(try read(egress, base, "/large").body.count == Limits.maximumProviderBodyBytes)
        // TLS ends here: another root at the same far end is no server.
        let other = try TLSServer(name: "google.test", files: [:])
        let (stranger, _) = try self.egress(.unix(path: server.path), roots: other.certificate)
        #expect(throws: ProviderFault.unavailable) { try read(stranger, base, "/small") }
        withExtendedLifetime((server, other)) {}
    }

    @Test func carriesSeveralConnectionsAtOnce() throws {
        let server = try TLSServer(name: "google.test", files: ["small": "\(Self.ok)hello"], onUnixSocket: true)
        let (egress, base) = try egress(.unix(path: server.path), roots: server.certificate)
        let answers = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            guard (try? read(egress, base, "/small"))?.body.count == 5 else { return }
            answers.withLock { $0 += 1 }
        }
        #expect(answers.withLock { $0 } == 6)
        withExtendedLifetime(server) {}
    }

    @Test func saysUnavailableWhereNobodyListens() throws {
        let folder = try TemporaryFolder()
        let server = try TLSServer(name: "google.test", files: [:])
        for route in [Endpoint.unix(path: folder.path + "/nobody"), .vsock(cid: 1, port: 40_001)] {
            let (egress, base) = try egress(route, roots: server.certificate)
            #expect(throws: ProviderFault.unavailable) { try read(egress, base, "/x", milliseconds: 500) }
        }
        withExtendedLifetime(server) {}
    }

    @Test func servesItsOwnProcessOnly() throws {
        let folder = try TemporaryFolder()
        let relay = try EgressRelay(to: .unix(path: folder.path + "/nobody"))
        let script = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect("\\0" + sys.argv[1])
            sys.exit(0 if s.recv(1) == b"" else 1)
            """
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, relay.name]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func endsItsSocketWithItself() throws {
        var relay: EgressRelay? = try EgressRelay(to: .unix(path: "/nowhere"))
        let name = try #require(relay?.name)
        func isListening() throws -> Bool {
            // Foundation takes a file without a size for shorter than it is, and other sockets may come first.
            let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/net/unix"))
            var content = Data()
            while let piece = try file.read(upToCount: 64 << 10), !piece.isEmpty { content += piece }
            return content.range(of: Data("@\(name)".utf8)) != nil
        }
        #expect(try isListening())
        relay = nil
        let deadline = MonotonicInstant.now.advanced(bySeconds: 10)
        while try isListening(), deadline > .now { Threads.sleep(milliseconds: 5) }
        #expect(try !isListening())
    }
}
