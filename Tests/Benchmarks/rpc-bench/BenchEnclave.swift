import AttestedSession
import EnclaveProtocol
import Glibc
import Sodium

/// The other end: listens, proves itself with a development signature, and answers every call with its own body.
enum BenchEnclave {
    static func run(hostKey: String) {
        guard let hostKey = Base64.decode(hostKey) else { RPCBench.fail("bad host key") }
        let staticKey = X25519.PrivateKey()
        let plain = Plain(hostKey: hostKey, sessionKey: staticKey.publicKey)
        do {
            let listener = try SessionListener(
                bind: .tcp(host: "127.0.0.1", port: 0), staticKey: staticKey, plain: plain, calls: Echo())
            print("\(listener.boundPort) \(Base64.encode(plain.signingKey.publicKey))")
            fflush(nil)
            listener.run()
        } catch {
            RPCBench.fail("\(error)")
        }
    }

    private struct Echo: CallHandler {
        func received(
            _ call: IncomingCall, on session: Session,
            reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
        ) { reply(.success(call.body)) }

        func ended(_ session: Session, reason: SessionEnd) {}
    }

    private final class Plain: PlainHandler {
        let signingKey = Ed25519.SigningKey()
        private let hostKey: [UInt8]
        private let sessionKey: [UInt8]

        init(hostKey: [UInt8], sessionKey: [UInt8]) {
            self.hostKey = hostKey
            self.sessionKey = sessionKey
        }

        func health() -> HealthAnswer {
            HealthAnswer(status: .ok, environment: "local", mode: "dev-shim", uptimeSeconds: 0)
        }

        func document() throws(EnclaveFailure) -> DocumentAnswer { throw EnclaveFailure(.unknownMethod) }

        func answer(_ challenge: Challenge) throws(EnclaveFailure) -> ChallengeAnswer {
            let evidence = Evidence(
                runtime: "dev-shim", environment: "local", measurement: "rpc-bench", challenge: challenge,
                issuedAt: UInt64(time(nil)), random: Random.bytes(32), sessionKey: sessionKey,
                signingKey: signingKey.publicKey
            ).encoded()
            return ChallengeAnswer(evidence: evidence, signature: signingKey.sign(evidence), nsmDocument: nil)
        }

        func role(of key: [UInt8]) -> Role? { key == hostKey ? .worker : nil }
        func willOpen(role: Role) -> Bool { true }
    }
}
