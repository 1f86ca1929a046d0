import AttestedSession
import EnclaveDevShim
import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Testing

@testable import EnclaveRuntime

/// A dev-shim enclave in this process, served over a real socket.
final class LocalEnclave {
    let server: EnclaveServer
    let google: ScriptedGoogle
    let folder: TemporaryFolder
    let signingKey: [UInt8]
    private let hostKeys: [Role: Secret]

    /// With `keyService` the enclave asks that instead of a local KMS, and is `starting` until it is open.
    init(
        _ overrides: [String: String] = [:], google: ScriptedGoogle = ScriptedGoogle(),
        keyService: ((EnclaveConfiguration) -> any KeyService)? = nil
    ) throws {
        self.google = google
        let folder = try TemporaryFolder()
        let seed = SecretBytes(random: 32)
        let seedText = unsafe seed.withUnsafeBytes { unsafe Base64.encode(Array($0)) }
        var keys: [Role: Secret] = [:]
        var clients: [String] = []
        for role in Role.allCases {
            let secret = SecretBytes(random: 32)
            keys[role] = Secret(secret.copy())
            let publicKey = X25519.PrivateKey(secret)?.publicKey ?? []
            clients.append("\(role.rawValue):\(Base64.encode(publicKey))")
        }
        let configuration = try testConfiguration(
            [
                "ENCLAVE_RPC_ALLOWED_CLIENTS": clients.joined(separator: ","),
                "TEE_ATTESTATION_SIGNING_PRIVATE_KEY_FILE": try folder.write("sign.key", seedText),
                "KMS_LOCAL_KEY_PATH": try folder.write("kms.key", Base64.encode(Random.bytes(32))),
            ].merging(overrides) { $1 })
        let identity = try ShimIdentity(configuration)
        let evidence = try ShimEvidence(identity: identity, seed: configuration.signingSeed)
        signingKey = try #require(evidence.signer?.publicKey)
        let kms = try LocalKeyManagement(
            keyFile: configuration.localKeyFile, measurement: identity.measurement,
            allowedMeasurements: Set(configuration.allowedMeasurements))
        let service = keyService?(configuration)
        server = try EnclaveServer(
            configuration, evidence: evidence, kms: service ?? kms, keyService: service, provider: google,
            log: Log(level: .error, json: true))
        hostKeys = keys
        self.folder = folder
        server.start()
    }

    deinit { server.drain() }

    func connect() throws -> PlainConnection {
        try PlainConnection(
            to: .tcp(host: "127.0.0.1", port: server.boundPort), deadline: .now.advanced(bySeconds: 5))
    }

    /// Verifies the evidence as a host does, then opens a session.
    func session(as role: Role, store: MemoryStore) throws -> Session {
        let connection = try connect()
        let deadline = MonotonicInstant.now.advanced(bySeconds: 5)
        let now = UInt64(Date().timeIntervalSince1970)
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: now, expiresAt: now + 60, purpose: Challenge.sessionPurpose,
            requestID: "test")
        let answer = try connection.challenge(challenge, deadline: deadline)
        let evidence = try Evidence(decoding: answer.evidence)
        #expect(evidence.challenge == challenge)
        #expect(
            Ed25519.verify(
                signature: try #require(answer.signature), message: answer.evidence, publicKey: signingKey))
        guard let secret = hostKeys[role]?.copy(), let key = X25519.PrivateKey(secret) else {
            throw SessionError.handshakeFailed
        }
        return try connection.openSession(
            hostKey: key, enclaveKey: evidence.sessionKey, handler: store, maximumAge: 300, deadline: deadline)
    }
}

extension Session {
    /// One call with its typed answer.
    func call<Answer: WireMessage>(_ method: Method, _ message: some WireMessage) throws -> Answer {
        let bytes = try callAndWait(
            OutgoingCall(
                method: method, body: message.encoded(), deadline: .now.advanced(bySeconds: 10), requestID: "test"))
        return try Answer(decoding: bytes)
    }
}
