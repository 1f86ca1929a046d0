import AttestedSession
import EnclaveProtocol
import EnclaveVault
import Foundation
import SimulatedNitro
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// Identity, evidence and state of an enclave whose secure module is simulated.
@Suite struct NitroTests {
    private let quiet = Log(level: .error, json: true)

    private func refusal(_ values: [String: String], _ stand: ModuleStand) throws -> String? {
        let configuration = try EnclaveConfiguration(values, for: .remote, measured: true)
        let client = try stand.client()
        do throws(ConfigurationViolation) {
            _ = try NitroIdentity.of(configuration, client)
            return nil
        } catch {
            return error.variable
        }
    }

    @Test func theModuleSaysWhatTheEnclaveIs() throws {
        let stand = try ModuleStand()
        let measurement = stand.measurement
        let own = ["KMS_ALLOWED_MEASUREMENTS": "current@\(measurement)"]
        let identity = try NitroIdentity.of(
            try EnclaveConfiguration(remoteVariables(own), for: .remote), try stand.client())
        #expect(identity.measurement == measurement)
        #expect(!identity.isDebug)
        #expect(try refusal(remoteVariables(own), stand) == nil)
        #expect(try refusal(measuredVariables(), stand) == nil)
    }

    @Test func inLocalTheOwnMeasurementMustBeAllowed() throws {
        let stand = try ModuleStand()
        let role = stand.module.registers[3].map { String(format: "%02x", $0) }.joined()
        let wrongRole = String(repeating: "0", count: 96)
        for (allowed, isAllowed) in [
            ("\(stand.measurement)+pcr3=\(role)", true), ("\(stand.measurement)+pcr3=\(wrongRole)", false),
            ("pcr0=" + wrongRole, false), ("dev-local-enclave", false),
            (String(stand.measurement.prefix(101)), false),
        ] {
            let found = try refusal(remoteVariables(["KMS_ALLOWED_MEASUREMENTS": allowed]), stand)
            #expect(found == (isAllowed ? nil : "KMS_ALLOWED_MEASUREMENTS"))
        }
    }

    @Test func aPinMustStateWhatTheModuleStates() throws {
        let stand = try ModuleStand()
        let other = stand.measurement.replacingOccurrences(of: "pcr0=", with: "pcr0=0").dropLast()
        for (runtime, measurement, isRight) in [
            ("nitro", stand.measurement, true), ("NITRO", stand.measurement, true),
            ("dev", stand.measurement, false), ("nitro", String(other), false),
            ("nitro", "dev-local-enclave", false),
        ] {
            let pin = try stand.folder.write("pin", #"{"runtime":"\#(runtime)","measurement":"\#(measurement)"}"#)
            let found = try refusal(measuredVariables(["TEE_ATTESTATION_DOCUMENT_PATH": pin]), stand)
            #expect(found == (isRight ? nil : "TEE_ATTESTATION_DOCUMENT_PATH"))
        }
        let unreadable = measuredVariables(["TEE_ATTESTATION_DOCUMENT_PATH": "/nowhere"])
        #expect(try refusal(unreadable, stand) == "TEE_ATTESTATION_DOCUMENT_PATH")
    }

    @Test(arguments: [0, 1, 2])
    func aDebugEnclaveDoesNotStartOutsideLocal(_ register: Int) throws {
        let stand = try ModuleStand()
        stand.module.setRegister(register, Registers.zero)
        #expect(try refusal(measuredVariables(), stand) == "NSM_DEVICE_PATH")
        let local = remoteVariables(["KMS_ALLOWED_MEASUREMENTS": stand.measurement])
        #expect(try refusal(local, stand) == nil)
    }

    @Test(arguments: [Misbehaviour.error(.internalError), .otherNonce, .garbage, .hangUp])
    func withoutADocumentThereIsNoIdentity(_ misbehaviour: Misbehaviour) throws {
        let stand = try ModuleStand()
        stand.module.misbehave(misbehaviour)
        #expect(try refusal(measuredVariables(), stand) == "NSM_DEVICE_PATH")
    }

    @Test func evidenceIsForPeersAndNeverForKMS() throws {
        let stand = try ModuleStand()
        let evidence = NitroEvidence(
            try identity(stand), module: try stand.client(), signingSeed: nil, log: quiet)
        let nonce = Random.bytes(32)
        let hash = Hash.sha512([1])
        let document = try OwnDocument(try #require(try evidence.attestationDocument(nonce: nonce, userData: hash)))
        #expect(document.publicKey == nil)
        #expect(document.userData == hash)
        #expect(document.nonce == nonce)
        stand.module.misbehave(.error(.internalError))
        #expect(throws: EvidenceError.moduleUnavailable) {
            try evidence.attestationDocument(nonce: nonce, userData: hash)
        }
    }

    private func identity(_ stand: ModuleStand) throws -> NitroIdentity {
        try NitroIdentity(try OwnDocument(stand.module.document()))
    }

    // MARK: From starting to ok

    /// Opens when told so, and counts what it is offered.
    final class ScriptedKeys: KeyService {
        let providerName = "aws"
        let opened = Mutex<[@Sendable () -> Void]>([])
        let offers = Mutex<[UInt64]>([])

        func begin(opened: @escaping @Sendable () -> Void) { self.opened.withLock { $0.append(opened) } }
        func offer(_ credentials: KMSCredentials, session: UInt64) throws(EnclaveFailure) -> KMSCredentialsAnswer {
            offers.withLock { $0.append(session) }
            return KMSCredentialsAnswer(.accepted, clientSecretVersion: nil)
        }
        func generateDataKey(keyID: String, version: UInt32) throws(VaultError) -> GeneratedDataKey {
            GeneratedDataKey(plaintext: SecretBytes(random: 32), wrapped: [1])
        }
        func unwrap(_ wrapped: [UInt8], keyID: String, version: UInt32) throws(VaultError) -> SecretBytes {
            throw .keyStoreFailed
        }
    }

    @Test func startingCarriesCredentialsOnlyAndOkChangesTheKey() throws {
        let stand = try ModuleStand()
        let hostKey = X25519.PrivateKey()
        let configuration = try EnclaveConfiguration(
            remoteVariables([
                "ENCLAVE_RPC_ALLOWED_CLIENTS": "worker:\(Base64.encode(hostKey.publicKey))",
                "TEE_ATTESTATION_SIGNING_PRIVATE_KEY": "kms:AQID", "GOOGLE_OAUTH_CLIENT_SECRET": "kms:1:AQID",
            ]), for: .remote)
        let seed = try #require(configuration.signingSeed)
        let evidence = NitroEvidence(
            try identity(stand), module: try stand.client(), signingSeed: seed, log: quiet)
        let keys = ScriptedKeys()
        let server = try EnclaveServer(
            configuration, evidence: evidence, kms: keys, keyService: keys, provider: ScriptedGoogle(), log: quiet)
        server.start()
        defer { server.drain() }
        let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
        func open() throws -> (Session, key: [UInt8]?) {
            let connection = try PlainConnection(
                to: .tcp(host: "127.0.0.1", port: server.boundPort), deadline: deadline)
            let now = UInt64(Date().timeIntervalSince1970)
            let challenge = Challenge(
                nonce: Random.bytes(32), issuedAt: now, expiresAt: now + 60, purpose: Challenge.sessionPurpose,
                requestID: "test")
            let answer = try connection.challenge(challenge, deadline: deadline)
            let statement = try Evidence(decoding: answer.evidence)
            #expect(statement.runtime == "nitro")
            #expect(statement.measurement == stand.measurement)
            let key = try #require(statement.signingKey)
            #expect(Ed25519.verify(signature: answer.signature ?? [], message: answer.evidence, publicKey: key))
            let document = try OwnDocument(try #require(answer.nsmDocument))
            #expect(document.nonce == challenge.nonce)
            #expect(document.userData == Hash.sha512(answer.evidence))
            #expect(document.publicKey == nil)
            let session = try connection.openSession(
                hostKey: hostKey, enclaveKey: statement.sessionKey, handler: MemoryStore(), maximumAge: 300,
                deadline: deadline)
            return (session, key)
        }
        func status() throws -> HealthAnswer.Status {
            try PlainConnection(to: .tcp(host: "127.0.0.1", port: server.boundPort), deadline: deadline)
                .health(deadline: deadline).status
        }

        #expect(try status() == .starting)
        let (early, bootKey) = try open()
        let credentials = KMSCredentials(accessKeyID: "AKIA1", secretAccessKey: Array("x".utf8))
        let answer: KMSCredentialsAnswer = try early.call(.kmsCredentials, credentials)
        #expect(answer.outcome == .accepted)
        #expect(throws: CallFailure.refused(EnclaveFailure(.draining))) {
            let _: EnclaveMetrics = try early.call(.metrics, EmptyMessage())
        }

        let opened = SecretBytes(random: 32)
        let text = unsafe opened.withUnsafeBytes { unsafe Base64.encode(Array($0)) }
        #expect(seed.adopt(Secret(SecretBytes(copying: Array(text.utf8)))))
        // Opening alone changes nothing: the key changes with the state.
        #expect(evidence.signer?.publicKey == bootKey)
        for opened in keys.opened.withLock({ $0 }) { opened() }
        #expect(try status() == .ok)
        let (late, configuredKey) = try open()
        #expect(configuredKey == Ed25519.SigningKey(seed: opened)?.publicKey)
        #expect(configuredKey != bootKey)
        let _: EnclaveMetrics = try late.call(.metrics, EmptyMessage())

        // The early session rests on the boot key: it goes on carrying credentials, and nothing else.
        #expect(throws: CallFailure.refused(EnclaveFailure(.draining))) {
            let _: EnclaveMetrics = try early.call(.metrics, EmptyMessage())
        }
        let _: KMSCredentialsAnswer = try early.call(.kmsCredentials, credentials)
        let _: KMSCredentialsAnswer = try late.call(.kmsCredentials, credentials)
        #expect(keys.offers.withLock { $0.count } == 3)
        #expect(keys.offers.withLock { Set($0).count } == 2)
    }

    @Test func anUnusableSigningKeyLeavesTheBootKey() throws {
        let stand = try ModuleStand()
        let seed = try #require(ConfiguredSecret("X", Secret(SecretBytes(copying: Array("nonsense".utf8)))))
        let evidence = NitroEvidence(
            try identity(stand), module: try stand.client(), signingSeed: seed, log: Log(level: .error, json: true))
        let before = evidence.signer?.publicKey
        evidence.open()
        #expect(evidence.signer?.publicKey == before)
    }

    @Test func theClientSecretNeverGoesBack() throws {
        func secret(_ text: String) -> Secret { Secret(SecretBytes(copying: Array(text.utf8))) }
        let configured = try #require(ConfiguredSecret("GOOGLE_OAUTH_CLIENT_SECRET", secret("kms:3:AQID")))
        #expect(configured.ciphertext == ConfiguredSecret.Ciphertext(version: 3, bytes: [1, 2, 3]))
        #expect(configured.current == nil)
        #expect(configured.adopt(secret("three"), version: 3))
        #expect(!configured.adopt(secret("two"), version: 2))
        #expect(!configured.adopt(secret("again"), version: 3))
        #expect(configured.adopt(secret("four"), version: 4))
        #expect(unsafe configured.current?.withUnsafeBytes { unsafe Array($0) } == Array("four".utf8))
        #expect(configured.version == 4)
    }
}
