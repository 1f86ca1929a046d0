import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import Synchronization

/// What a test wants to know of a call, and how it answers.
typealias Received =
    @Sendable (IncomingCall, Session, @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void) -> Void

/// A handler made of closures, which remembers how its sessions ended.
final class ClosureHandler: CallHandler {
    private let onCall: Received
    private let ends = Mutex<[SessionEnd]>([])

    init(_ onCall: @escaping Received) { self.onCall = onCall }

    /// Answers every call with its own body, at once.
    static func echo() -> ClosureHandler { ClosureHandler { call, _, reply in reply(.success(call.body)) } }

    var endings: [SessionEnd] { ends.withLock { $0 } }

    func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) { onCall(call, session, reply) }

    func ended(_ session: Session, reason: SessionEnd) { ends.withLock { $0.append(reason) } }
}

/// The plain side of an enclave with real keys and signatures.
final class TestPlain: PlainHandler {
    let signingKey = Ed25519.SigningKey()
    let sessionKey: [UInt8]
    let roles: [[UInt8]: Role]

    init(sessionKey: [UInt8], roles: [[UInt8]: Role]) {
        self.sessionKey = sessionKey
        self.roles = roles
    }

    func health() -> HealthAnswer {
        HealthAnswer(status: .ok, environment: "local", mode: "dev-shim", uptimeSeconds: 1)
    }

    func document() throws(EnclaveFailure) -> DocumentAnswer { throw EnclaveFailure(.overloaded) }

    func answer(_ challenge: Challenge) throws(EnclaveFailure) -> ChallengeAnswer {
        let evidence = Evidence(
            runtime: "dev-shim", environment: "local", measurement: "test", challenge: challenge,
            issuedAt: challenge.issuedAt, random: Random.bytes(32), sessionKey: sessionKey,
            signingKey: signingKey.publicKey
        ).encoded()
        return ChallengeAnswer(evidence: evidence, signature: signingKey.sign(evidence), nsmDocument: nil)
    }

    func role(of hostKey: [UInt8]) -> Role? { roles[hostKey] }
    func willOpen(role: Role) -> Bool { true }
}

/// An enclave that listens, with one known key per role.
final class TestEnclave: Sendable {
    let listener: SessionListener
    let plain: TestPlain
    let handler: ClosureHandler
    let endpoint: Endpoint
    let apiKey = X25519.PrivateKey()
    let workerKey = X25519.PrivateKey()
    private let isDone: Mutex<Bool>

    init(
        _ handler: ClosureHandler = .echo(), on bind: Endpoint = .tcp(host: "127.0.0.1", port: 0),
        limits: ListenerLimits = ListenerLimits(challengesPerSecond: 1000)
    ) throws {
        let staticKey = X25519.PrivateKey()
        plain = TestPlain(
            sessionKey: staticKey.publicKey, roles: [apiKey.publicKey: .api, workerKey.publicKey: .worker])
        self.handler = handler
        listener = try SessionListener(
            bind: bind, staticKey: staticKey, plain: plain, calls: handler, limits: limits)
        if case .tcp(let host, _) = bind {
            endpoint = .tcp(host: host, port: listener.boundPort)
        } else {
            endpoint = bind
        }
        isDone = Mutex(false)
        let thread = Foundation.Thread { [self] in
            listener.run()
            isDone.withLock { $0 = true }
        }
        thread.start()
    }

    func stop() -> Bool {
        listener.stop()
        return eventually { self.isDone.withLock { $0 } }
    }

    func challenge(_ purpose: String = Challenge.sessionPurpose) -> Challenge {
        Challenge(nonce: Random.bytes(32), issuedAt: 1000, expiresAt: 1100, purpose: purpose, requestID: "test")
    }

    func connect() throws -> PlainConnection { try PlainConnection(to: endpoint, deadline: soon()) }

    /// A session as api, evidence verified by its signature alone.
    func session(_ handler: any CallHandler = RefusingHandler(), maximumAge: Int = 3600) throws -> Session {
        try session(as: apiKey, handler, maximumAge: maximumAge)
    }

    func session(
        as key: borrowing X25519.PrivateKey, _ handler: any CallHandler = RefusingHandler(), maximumAge: Int = 3600
    ) throws -> Session {
        let connection = try connect()
        let answer = try connection.challenge(challenge(), deadline: soon())
        guard let signature = answer.signature,
            Ed25519.verify(signature: signature, message: answer.evidence, publicKey: plain.signingKey.publicKey)
        else { throw SessionError.malformed }
        return try connection.openSession(
            hostKey: key, enclaveKey: try Evidence(decoding: answer.evidence).sessionKey, handler: handler,
            maximumAge: maximumAge, deadline: soon())
    }
}

/// A call with an answer expected within `seconds`.
func call(_ body: [UInt8], method: Method = .dataSeal, seconds: Int = 10, id: String = "test") -> OutgoingCall {
    OutgoingCall(method: method, body: body, deadline: soon(seconds), requestID: id)
}

func soon(_ seconds: Int = 10) -> MonotonicInstant { MonotonicInstant.now.advanced(bySeconds: seconds) }

/// Waits until `condition` holds, at most `seconds`; tells whether it does.
func eventually(seconds: Int = 10, _ condition: () -> Bool) -> Bool {
    let deadline = soon(seconds)
    while !condition() {
        guard MonotonicInstant.now < deadline else { return false }
        usleep(1000)
    }
    return true
}

/// Collects results from other threads.
final class Collected<Element: Sendable>: Sendable {
    private let items = Mutex<[Element]>([])
    func add(_ item: Element) { items.withLock { $0.append(item) } }
    var all: [Element] { items.withLock { $0 } }
    var count: Int { items.withLock { $0.count } }
}

func bytes(hex: String) -> [UInt8] {
    let digits = Array(hex.utf8)
    return stride(from: 0, to: digits.count, by: 2).map { index in
        UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) ?? 0
    }
}

func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
