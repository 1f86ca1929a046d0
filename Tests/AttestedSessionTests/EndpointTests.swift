import Foundation
import Testing

@testable import AttestedSession

struct EndpointTests {
    @Test func readsEveryFormOfAddress() {
        #expect(Endpoint(clientURL: "http://127.0.0.1:8181") == .tcp(host: "127.0.0.1", port: 8181))
        #expect(Endpoint(clientURL: "tcp://enclave-1.local:1") == .tcp(host: "enclave-1.local", port: 1))
        #expect(Endpoint(clientURL: "tcp://[::1]:65535") == .tcp(host: "::1", port: 65_535))
        #expect(Endpoint(clientURL: "vsock://16:5000") == .vsock(cid: 16, port: 5000))
        #expect(Endpoint(clientURL: "unix:///run/alfred.sock") == .unix(path: "/run/alfred.sock"))
        #expect(Endpoint(bindAddress: "127.0.0.1:8181") == .tcp(host: "127.0.0.1", port: 8181))
        #expect(Endpoint(bindAddress: "tcp://[::]:0") == .tcp(host: "::", port: 0))
        #expect(Endpoint(bindAddress: "vsock://5000") == .vsock(cid: .max, port: 5000))
        #expect(Endpoint(bindAddress: "unix:///run/alfred.sock") == .unix(path: "/run/alfred.sock"))
    }

    @Test(arguments: [
        "", "tcp://", "tcp://:1", "tcp://host", "tcp://host:", "tcp://host:65536", "tcp://host:+1", "tcp://ho st:1",
        "tcp://::1:80", "tcp://[host]:1", "http://host:1/path", "https://host:1", "vsock://1", "vsock://a:1",
        "vsock://1:4294967296", "unix://relative", "unix:///", "unix:///" + String(repeating: "a", count: 107),
    ])
    func refusesEverythingElse(_ text: String) { #expect(Endpoint(clientURL: text) == nil) }

    @Test func bindsAVirtualMachineSocketWhereTheKernelHasThem() throws {
        guard FileManager.default.fileExists(atPath: "/dev/vsock") else { return }
        let listening = try Sockets.listen(on: .vsock(cid: .max, port: 0xFFFF_FFFF))
        close(listening)
    }

    @Test func replacesAStaleUnixSocketAndNoOtherFile() throws {
        let path = NSTemporaryDirectory() + "alfred-test-\(UUID().uuidString.prefix(8)).sock"
        let first = try Sockets.listen(on: .unix(path: path))
        #expect(throws: SessionError.addressUnusable) { try Sockets.listen(on: .unix(path: path)) }
        close(first)
        let second = try Sockets.listen(on: .unix(path: path))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o660)
        close(second)
        unlink(path)
        try "not a socket".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: SessionError.addressUnusable) { try Sockets.listen(on: .unix(path: path)) }
        unlink(path)
    }

    @Test func tellsAnUnreachableEnclaveFromASilentOne() throws {
        let listening = try Sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let port = Sockets.boundPort(listening)
        let silent = try PlainConnection(to: .tcp(host: "127.0.0.1", port: port), deadline: soon())
        #expect(throws: SessionError.timedOut) {
            try silent.health(deadline: MonotonicInstant.now.advanced(byMilliseconds: 50))
        }
        close(listening)
        #expect(throws: SessionError.unreachable) {
            try PlainConnection(to: .tcp(host: "127.0.0.1", port: port), deadline: soon())
        }
    }

    @Test func keepsInstantsWithinTheirRange() {
        let instant = MonotonicInstant(nanoseconds: 5)
        #expect(instant.advanced(byMilliseconds: -1).nanoseconds == 0)
        #expect(MonotonicInstant.distantFuture.advanced(bySeconds: 1) == .distantFuture)
        #expect(MonotonicInstant(nanoseconds: 1_000_001).milliseconds(after: MonotonicInstant(nanoseconds: 0)) == 2)
        #expect(instant.milliseconds(after: instant) == 0)
    }
}
