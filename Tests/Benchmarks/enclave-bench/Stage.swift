import AttestationVerifier
import AttestedSession
import EnclaveProtocol
import Foundation
import LocalStack
import Sodium

/// Simulators, and the enclave that is measured.
actor Stage {
    let stack: LocalStack
    private let executable: URL
    private var prepared: Prepared?
    private var enclave: ManagedProcess?

    /// What is known once the simulators run.
    private struct Prepared {
        let environment: StackEnvironment
        let endpoint: Endpoint
        let policy: AttestationPolicy
    }

    /// `executable` is the enclave; nothing is started yet.
    init(_ stack: LocalStack, enclave executable: URL) {
        self.stack = stack
        self.executable = executable
    }

    /// Starts the simulators and makes keys.
    func start() async throws {
        try await stack.prepare()
        try await stack.start(.simulators)
        guard let environment = await stack.environment,
            let key = Base64.decode(environment.variables["TEE_ATTESTATION_PUBLIC_KEY"] ?? "")
        else { throw StackError("the local system has no attestation key") }
        prepared = Prepared(
            environment: environment,
            endpoint: .tcp(host: "127.0.0.1", port: UInt16(environment.ports.enclave)),
            policy: AttestationPolicy(
                expectedRuntime: "nitro", environment: "local", allowedMeasurements: [.init("dev-local-enclave")],
                publicKeys: [key], maximumAgeSeconds: 300))
    }

    private func required() throws -> Prepared {
        guard let prepared else { throw StackError("the simulators are not started") }
        return prepared
    }

    /// Where Google sends the browser back to.
    var redirectURI: String { get throws { try required().environment.redirectURI } }

    /// Ends every process and removes what they left.
    func end() async {
        await enclave?.stop()
        await stack.remove()
    }

    // MARK: - The enclave

    /// How the enclave came to its end; nil while it runs.
    var death: StackError? {
        guard let enclave, let status = enclave.exitStatus else { return nil }
        return StackError("the enclave ended with status \(status):\n\(enclave.logTail())")
    }

    /// Starts the enclave anew; returns the milliseconds until it answers that it is ready.
    func restart() async throws -> Double {
        await enclave?.stop()
        let prepared = try required()
        let variables = prepared.environment.variables(for: .enclave)
        let started = MonotonicInstant.now
        let process = try ManagedProcess(
            name: "enclave", executable: executable, environment: variables, folder: stack.settings.state,
            log: stack.settings.state.appending(path: "logs/enclave.log"))
        enclave = process
        let deadline = started.advanced(bySeconds: 20)
        while MonotonicInstant.now < deadline, process.isRunning {
            if Self.isReady(prepared.endpoint) {
                return Double(MonotonicInstant.now.nanoseconds - started.nanoseconds) / 1e6
            }
            // The port is closed until the enclave has bound it; there is nothing else to wait on.
            usleep(500)
        }
        throw StackError("the enclave does not get ready:\n\(process.logTail())")
    }

    private static func isReady(_ endpoint: Endpoint) -> Bool {
        let soon = MonotonicInstant.now.advanced(bySeconds: 5)
        guard let connection = try? PlainConnection(to: endpoint, deadline: soon) else { return false }
        return (try? connection.health(deadline: soon))?.status == .ok
    }

    /// A row of the kernel's account of the enclave's memory, in KiB.
    func memory(_ row: String) throws -> Int {
        guard let enclave, enclave.isRunning else { throw StackError("the enclave has ended") }
        let status = try String(contentsOfFile: "/proc/\(enclave.pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(row):") }
        guard let line, let value = Int(line.filter(\.isNumber)) else { throw StackError("no \(row)") }
        return value
    }

    // MARK: - Sessions

    /// Lends a new session of `role`: none is older than one phase of the measurement.
    func withSession<Result: Sendable>(
        _ role: Role, _ rows: Rows, _ body: (Session) async throws -> Result
    ) async throws -> Result {
        let session = try session(role, rows)
        defer { session.close() }
        return try await body(session)
    }

    /// A session with verified evidence; callbacks are answered from `rows`.
    private func session(_ role: Role, _ rows: Rows) throws -> Session {
        let prepared = try required()
        let deadline = MonotonicInstant.now.advanced(bySeconds: 10)
        let name = role == .api ? "api.key" : "worker.key"
        let file = stack.settings.state.appending(path: "keys/\(name)")
        guard let bytes = Base64.decode(try String(contentsOf: file, encoding: .utf8)),
            let hostKey = X25519.PrivateKey(SecretBytes(copying: bytes))
        else { throw StackError("\(name) holds no key") }
        let verifier = Verifier(policy: prepared.policy)
        let now = { UInt64(Date().timeIntervalSince1970) }
        let connection = try PlainConnection(to: prepared.endpoint, deadline: deadline)
        let challenge = verifier.challenge(purpose: "session", requestID: "bench", now: now())
        let answer = try connection.challenge(challenge, deadline: deadline)
        let verified = try verifier.verify(answer: answer, to: challenge, now: now())
        return try connection.openSession(
            hostKey: hostKey, enclaveKey: verified.sessionKey, handler: rows, maximumAge: 3600, deadline: deadline)
    }
}
