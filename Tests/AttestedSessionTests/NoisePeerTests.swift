import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Testing

/// The other end is an independent implementation: `noiseprotocol` from PyPI, in a Python process of its own.
struct NoisePeerTests {
    @Test func anIndependentInitiatorOpensASessionAndCalls() throws {
        let enclave = try TestEnclave(limits: ListenerLimits(sessionSeconds: 1234))
        let hostKey = unsafe hex(enclave.apiKey.withUnsafeBytes { unsafe Array($0) })
        let peer = try Peer(["initiator", "\(enclave.listener.boundPort)", hostKey])
        #expect(try peer.line() == "1234 ping from python")
        #expect(try peer.finish() == 0)
        #expect(enclave.stop())
    }

    @Test func anIndependentResponderTakesOurSessionAndCall() throws {
        let enclaveKey = X25519.PrivateKey()
        let hostKey = X25519.PrivateKey()
        let plain = TestPlain(sessionKey: enclaveKey.publicKey, roles: [:])
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: 1000, expiresAt: 1100, purpose: Challenge.sessionPurpose,
            requestID: "swift")
        let answer = HelloAnswer.challenge(try plain.answer(challenge)).encoded()
        let privateKey = unsafe hex(enclaveKey.withUnsafeBytes { unsafe Array($0) })
        let peer = try Peer(["responder", privateKey, hex(answer)])
        let port = try #require(UInt16(try peer.line()))

        let connection = try PlainConnection(to: .tcp(host: "127.0.0.1", port: port), deadline: soon())
        _ = try connection.challenge(challenge, deadline: soon())
        let session = try connection.openSession(
            hostKey: hostKey, enclaveKey: enclaveKey.publicKey, handler: RefusingHandler(), maximumAge: 3600,
            deadline: soon())
        #expect((70...77).contains((session.expiresAt.remainingMilliseconds + 999) / 1000))
        #expect(try peer.line() == hex(hostKey.publicKey))
        #expect(try session.callAndWait(call([1, 2, 3], id: "swift")) == [3, 2, 1])
        session.close()
        #expect(try peer.finish() == 0)
    }
}

/// The Python process; `scripts/test` makes `.local/venv`, elsewhere the `python3` in the path must have the package.
private final class Peer {
    private let process = Process()
    private let output = Pipe()
    private let errors = Pipe()
    private var buffered: [UInt8] = []

    init(_ arguments: [String]) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let script = folder.appending(path: "peers/noise_peer.py").path
        let root = folder.deletingLastPathComponent().deletingLastPathComponent()
        let own = root.appending(path: ".local/venv/bin/python3").path
        let python = FileManager.default.isExecutableFile(atPath: own) ? [own] : ["python3"]
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = python + [script] + arguments
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    /// The next line that the peer prints; fails with what it wrote to its error stream when it ends instead.
    func line() throws -> String {
        while true {
            if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffered.removeFirst(end + 1) }
                return String(decoding: buffered[..<end], as: UTF8.self)
            }
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else {
                throw PeerEnded(
                    reason: String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
            }
            buffered += piece
        }
    }

    func finish() throws -> Int32 {
        try #require(eventually { !self.process.isRunning })
        return process.terminationStatus
    }

    deinit { if process.isRunning { process.terminate() } }
}

private struct PeerEnded: Error { let reason: String }
