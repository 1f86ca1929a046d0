import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import Sodium
import Synchronization

typealias Reply = @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
typealias Script = @Sendable (IncomingCall, Session, @escaping Reply) -> Void

/// The enclave's side of real sessions, with keys of the test and answers as scripted.
final class FakeEnclave: PlainHandler, CallHandler {
    /// What it says about itself.
    struct Identity: Sendable {
        var status = HealthAnswer.Status.ok
        var runtime = "dev-shim"
        var measurement = "dev-local-enclave"
        var signs = true
    }

    struct Seen {
        var sessions: Set<UInt64> = []
        var sessionsEnded = 0
        var calls = 0
        var handshakes = 0
        var challenges: [Challenge] = []
        var order: [String] = []
    }

    let identity: Identity
    let hosts: [[UInt8]: Role]
    let seen = Mutex(Seen())
    /// What `health` says now; from `identity` at first.
    let status: Mutex<HealthAnswer.Status>
    private let script: Script
    private let staticPublicKey: [UInt8]
    private let signingKey = Ed25519.SigningKey()
    private let listener = Mutex<SessionListener?>(nil)

    init(
        hosts: [[UInt8]: Role], identity: Identity = Identity(), port: UInt16 = 0, sessionSeconds: Int = 3600,
        script: @escaping Script = FakeEnclave.echo
    ) throws {
        self.identity = identity
        status = Mutex(identity.status)
        self.hosts = hosts
        self.script = script
        let key = X25519.PrivateKey()
        staticPublicKey = key.publicKey
        let listener = try SessionListener(
            bind: .tcp(host: "127.0.0.1", port: port), staticKey: key, plain: self, calls: self,
            limits: ListenerLimits(sessionSeconds: sessionSeconds))
        self.listener.withLock { $0 = listener }
        Thread { listener.run() }.start()
    }

    var publicKey: [UInt8] { signingKey.publicKey }
    var port: UInt16 { listener.withLock { $0?.boundPort ?? 0 } }
    var sessions: [Session] { listener.withLock { $0?.sessions ?? [] } }

    func stop() {
        listener.withLock { listener in
            listener?.stop()
            listener = nil
        }
    }

    // MARK: Before a session

    func health() -> HealthAnswer {
        HealthAnswer(status: status.withLock { $0 }, environment: "local", mode: "dev-shim", uptimeSeconds: 1)
    }

    func document() throws(EnclaveFailure) -> DocumentAnswer {
        let document = IdentityDocument(
            runtime: identity.runtime, environment: "local", measurement: identity.measurement, mode: "dev-shim",
            issuedAt: now(), sessionKey: staticPublicKey, signingKey: publicKey
        ).encoded()
        return DocumentAnswer(document: document, signature: signingKey.sign(document), nsmDocument: nil)
    }

    func answer(_ challenge: Challenge) throws(EnclaveFailure) -> ChallengeAnswer {
        seen.withLock { $0.challenges.append(challenge) }
        let evidence = Evidence(
            runtime: identity.runtime, environment: "local", measurement: identity.measurement, challenge: challenge,
            issuedAt: now(), random: Random.bytes(32), sessionKey: staticPublicKey, signingKey: publicKey
        ).encoded()
        return ChallengeAnswer(
            evidence: evidence, signature: identity.signs ? signingKey.sign(evidence) : nil, nsmDocument: nil)
    }

    func role(of hostKey: [UInt8]) -> Role? {
        seen.withLock { $0.handshakes += 1 }
        return hosts[hostKey]
    }

    func willOpen(role: Role) -> Bool { true }

    private func now() -> UInt64 { UInt64(Date().timeIntervalSince1970) }

    // MARK: Calls

    func received(_ call: IncomingCall, on session: Session, reply: @escaping Reply) {
        seen.withLock { seen in
            seen.calls += 1
            seen.sessions.insert(session.id)
            seen.order.append(call.requestID)
        }
        script(call, session, reply)
    }

    func ended(_ session: Session, reason: SessionEnd) { seen.withLock { $0.sessionsEnded += 1 } }

    /// Answers `data.seal` and `data.open` with the content itself.
    static let echo: Script = { call, _, reply in
        guard let items = try? DataItems(decoding: call.body) else {
            return reply(.failure(EnclaveFailure(.malformedRequest)))
        }
        reply(.success(DataResults(items.items.map { .success($0.content) }, keyVersion: 3).encoded()))
    }
}
