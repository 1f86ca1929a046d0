import AttestedSession
import EnclaveProtocol
import Foundation
import SimulatedNitro
import Sodium
import Synchronization

/// The other end: a listener whose evidence is vouched for by a simulated secure module, and which echoes every call.
final class BenchEnclave: Sendable {
    let endpoint: Endpoint
    /// DER of the authority's root.
    let root: [UInt8]
    let measurement: String
    private let plain: Plain

    /// Time that the simulated module took to sign, which no host and no enclave spends.
    var signingTime: Duration { plain.signingTime }

    init(hostKey: [UInt8]) throws {
        let staticKey = X25519.PrivateKey()
        let authority = NitroPKI()
        let registers = Registers.make(image: "bench", instanceID: authority.instanceID)
        measurement = (0...2).map { "pcr\($0)=\(Hex.encode(registers[$0]))" }.joined(separator: "+")
        root = authority.root
        plain = Plain(hostKey, staticKey.publicKey, measurement, authority, registers)
        let listener = try SessionListener(
            bind: .tcp(host: "127.0.0.1", port: 0), staticKey: staticKey, plain: plain, calls: Echo())
        endpoint = .tcp(host: "127.0.0.1", port: listener.boundPort)
        Thread.detachNewThread { listener.run() }
    }

    private struct Echo: CallHandler {
        func received(
            _ call: IncomingCall, on session: Session,
            reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
        ) { reply(.success(call.body)) }

        func ended(_ session: Session, reason: SessionEnd) {}
    }

    private final class Plain: PlainHandler {
        private let hostKey: [UInt8]
        private let sessionKey: [UInt8]
        private let measurement: String
        private let signingKey = Ed25519.SigningKey()
        private let moduleID: String
        private let registers: [(index: UInt64, value: [UInt8])]
        private let chain: NitroPKI.Chain
        private let signing = Mutex(Duration.zero)

        var signingTime: Duration { signing.withLock { $0 } }

        init(
            _ hostKey: [UInt8], _ sessionKey: [UInt8], _ measurement: String, _ authority: NitroPKI,
            _ registers: [[UInt8]]
        ) {
            self.hostKey = hostKey
            self.sessionKey = sessionKey
            self.measurement = measurement
            self.registers = registers.enumerated().map { (index: UInt64($0.offset), value: $0.element) }
            moduleID = "\(authority.instanceID)-enc0123456789abcdef"
            chain = authority.chain(moduleID: moduleID, at: UInt64(Date().timeIntervalSince1970))
        }

        func health() -> HealthAnswer {
            HealthAnswer(status: .ok, environment: "local", mode: "remote", uptimeSeconds: 0)
        }

        func document() throws(EnclaveFailure) -> DocumentAnswer { throw EnclaveFailure(.unknownMethod) }

        func answer(_ challenge: Challenge) throws(EnclaveFailure) -> ChallengeAnswer {
            let now = Date().timeIntervalSince1970
            let evidence = Evidence(
                runtime: "nitro", environment: "local", measurement: measurement, challenge: challenge,
                issuedAt: UInt64(now), random: Random.bytes(32), sessionKey: sessionKey,
                signingKey: signingKey.publicKey
            ).encoded()
            let start = ContinuousClock.now
            let document = DocumentDraft(
                moduleID: moduleID, timestamp: UInt64(now * 1000), registers: registers, chain: chain,
                userData: Hash.sha512(evidence), nonce: challenge.nonce
            ).encoded()
            signing.withLock { $0 += start.duration(to: .now) }
            return ChallengeAnswer(evidence: evidence, signature: signingKey.sign(evidence), nsmDocument: document)
        }

        func role(of key: [UInt8]) -> Role? { key == hostKey ? .worker : nil }
        func willOpen(role: Role) -> Bool { true }
    }
}
