import AttestationVerifier
import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium

/// Sessions with evidence that a Nitro document vouches for, over loopback, both ends in this process.
final class SessionFigures {
    /// The enclave answers so many challenges at once, and again as many per second.
    private static let burst = Limits.challengesPerSecond - 2
    private static let calls = 10_000

    private let rounds: Int
    private let hostKey = X25519.PrivateKey()
    private let enclave: BenchEnclave
    private let verifier: Verifier

    init(rounds: Int) throws {
        self.rounds = rounds
        enclave = try BenchEnclave(hostKey: hostKey.publicKey)
        verifier = Verifier(
            policy: AttestationPolicy(
                expectedRuntime: "nitro", environment: "local",
                allowedMeasurements: [AcceptedMeasurement(enclave.measurement)], publicKeys: [],
                maximumAgeSeconds: 300, nitroRoot: try NitroRoot(testCertificate: enclave.root)))
    }

    func run() throws {
        let session = try open()
        try measureSetUp()
        try measureCalls(session)
        session.close()
    }

    private func measureSetUp() throws {
        var took: [Double] = []
        let before = verifier.signatureChecks
        for _ in 0..<rounds {
            // The enclave's budget of challenges fills up in a second.
            Thread.sleep(forTimeInterval: 1.1)
            for _ in 0..<Self.burst {
                let signing = enclave.signingTime
                let start = ContinuousClock.now
                try open().close()
                took.append((start.duration(to: .now) - (enclave.signingTime - signing)) / .microseconds(1))
            }
        }
        took.sort()
        AttestationBench.figure("handshake_microseconds", took[took.count / 2])
        AttestationBench.figure("handshake_signatures", Double(verifier.signatureChecks - before) / Double(took.count))
    }

    private func measureCalls(_ session: Session) throws {
        let before = verifier.signatureChecks
        let body = [UInt8](repeating: 1, count: 1024)
        let start = ContinuousClock.now
        for _ in 0..<Self.calls {
            let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
            _ = try session.callAndWait(
                OutgoingCall(method: .googleGet, body: body, deadline: deadline, requestID: "0a1b2c3d4e5f6071"))
        }
        let took = start.duration(to: .now) / .microseconds(1)
        AttestationBench.figure("call_microseconds", took / Double(Self.calls))
        AttestationBench.figure("call_signatures", Double(verifier.signatureChecks - before))
    }

    /// Connection, challenge, verification and handshake.
    private func open() throws -> Session {
        let deadline = MonotonicInstant.now.advanced(bySeconds: 5)
        let connection = try PlainConnection(to: enclave.endpoint, deadline: deadline)
        let now = UInt64(Date().timeIntervalSince1970)
        let challenge = verifier.challenge(purpose: Challenge.sessionPurpose, requestID: "bench", window: 60, now: now)
        let answer = try connection.challenge(challenge, deadline: deadline)
        let verified = try verifier.verify(answer: answer, to: challenge, now: now)
        return try connection.openSession(
            hostKey: hostKey, enclaveKey: verified.sessionKey, handler: RefusingHandler(), maximumAge: 300,
            deadline: deadline)
    }
}
