import AttestedSession
import EnclaveProtocol
import Glibc
import Sodium

/// What a call through a full attested session costs: 1 KiB each way over loopback, client and enclave in two processes.
///
/// The other end echoes each body in the session's handler: no dispatcher, no operation and no vault are measured.
///
/// Prints one line per load: name, calls in flight, calls per second, p50 and p99 in microseconds.
/// Usage: `rpc-bench [seconds per load]`; `rpc-bench enclave <host key>` is the other process.
@main
enum RPCBench {
    static func main() {
        let arguments = CommandLine.arguments
        if arguments.count == 3, arguments[1] == "enclave" {
            BenchEnclave.run(hostKey: arguments[2])
        } else {
            let seconds = arguments.count > 1 ? Int(arguments[1]) ?? 3 : 3
            runHost(seconds: seconds)
        }
    }

    private static func runHost(seconds: Int) {
        let hostKey = X25519.PrivateKey()
        guard let enclave = BenchProcess(arguments: ["enclave", Base64.encode(hostKey.publicKey)]),
            let line = enclave.readLine()
        else { fail("the enclave process does not start") }
        let parts = line.split(separator: " ")
        guard parts.count == 2, let port = UInt16(parts[0]), let signingKey = Base64.decode(String(parts[1])) else {
            fail("the enclave process says something else")
        }
        note("the other end echoes in the session's handler, without dispatcher and operations: transport only")
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: port)
        do {
            let open = { try openSession(endpoint, hostKey, signingKey) }
            Load(name: "rpc-blocking", sessions: [try open()], inFlight: 1, seconds: seconds).runBlocking()
            Load(name: "rpc", sessions: [try open()], inFlight: 1, seconds: seconds).run()
            Load(name: "rpc", sessions: [try open()], inFlight: 64, seconds: seconds).run()
            Load(name: "rpc-2-sessions", sessions: [try open(), try open()], inFlight: 64, seconds: seconds).run()
        } catch {
            fail("\(error)")
        }
        enclave.end()
    }

    /// Challenge, evidence checked as a development host checks it, handshake.
    private static func openSession(
        _ endpoint: Endpoint, _ hostKey: borrowing X25519.PrivateKey, _ signingKey: [UInt8]
    ) throws -> Session {
        let deadline = MonotonicInstant.now.advanced(bySeconds: 5)
        let connection = try PlainConnection(to: endpoint, deadline: deadline)
        let now = UInt64(time(nil))
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: now, expiresAt: now + 60, purpose: Challenge.sessionPurpose,
            requestID: "bench")
        let answer = try connection.challenge(challenge, deadline: deadline)
        let evidence = try Evidence(decoding: answer.evidence)
        guard let signature = answer.signature, evidence.challenge == challenge,
            Ed25519.verify(signature: signature, message: answer.evidence, publicKey: signingKey)
        else { throw SessionError.malformed }
        return try connection.openSession(
            hostKey: hostKey, enclaveKey: evidence.sessionKey, handler: RefusingHandler(), maximumAge: 3600,
            deadline: deadline)
    }

    static func fail(_ reason: String) -> Never {
        note(reason)
        exit(1)
    }

    /// Says something beside the figures, which alone go to standard output.
    private static func note(_ text: String) {
        let line = Array("rpc-bench: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
