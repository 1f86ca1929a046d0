import EnclaveProtocol
import EnclaveVault
import Foundation
import SimulatedNitro
import SimulatorKit
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// The enclave's side of KMS against a service that judges signatures, documents, policies and contexts for real.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SimulatedKMSTests {
    private let user = UserID(UUID())

    private func seal(_ vault: TokenVault, _ store: WrappedKeys) async throws -> [UInt8] {
        try await blocking { [user] in
            try vault.sealData(
                purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, plaintext: Array("payload".utf8),
                port: store)
        }
    }

    private func open(_ sealed: [UInt8], _ vault: TokenVault, _ store: WrappedKeys) async throws -> String {
        try await blocking { [user] in
            String(
                decoding: try vault.openData(
                    purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, sealed: sealed, port: store),
                as: UTF8.self)
        }
    }

    private func refusal(_ body: () async throws -> Void) async -> VaultError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? VaultError
        }
    }

    @Test func theMeasuredImageGetsItsKeysAndSecrets() async throws {
        try await KMSStand.run { stand in
            let seed = Base64.encode(Random.bytes(32))
            let enclave = try stand.enclave([
                "GOOGLE_OAUTH_CLIENT_SECRET":
                    "kms:3:\(try stand.encrypt("google", ["purpose": "GOOGLE_OAUTH_CLIENT_SECRET", "version": "3"]))",
                "TEE_ATTESTATION_SIGNING_PRIVATE_KEY":
                    "kms:\(try stand.encrypt(seed, ["purpose": "TEE_ATTESTATION_SIGNING_PRIVATE_KEY"]))",
            ])
            #expect(try await enclave.offer(stand.role) == KMSCredentialsAnswer(.accepted, clientSecretVersion: 3))
            #expect(enclave.isOpen.withLock { $0 })
            let store = WrappedKeys()
            let sealed = try await seal(try enclave.vault(), store)
            // Another enclave of the image, and each shape of the answer.
            for shape in KMSEnvelopeShape.allCases {
                try await stand.control.setKMSBehaviour(KMSBehaviour(shape: shape))
                let next = try stand.enclave()
                #expect(try await next.offer(stand.role).outcome == .accepted)
                #expect(try await open(sealed, try next.vault(), store) == "payload")
            }
            // A newer client secret needs no new image.
            let newer = try stand.encrypt("newer", ["purpose": "GOOGLE_OAUTH_CLIENT_SECRET", "version": "4"])
            let answer = try await enclave.offer(
                stand.role, clientSecret: .init(version: 4, ciphertext: Base64.decode(newer) ?? []))
            #expect(answer.clientSecretVersion == 4)
        }
    }

    @Test func anotherImageInstanceRootOrDebugModeGetsNoKey() async throws {
        try await KMSStand.run { stand in
            var otherRole = KMSStand.image
            otherRole[3] = Registers.extended(Registers.zero, by: Array("arn:aws:iam::111122223333:role/other".utf8))
            var noRegisters = KMSStand.image
            for index in 0...2 { noRegisters[index] = Registers.zero }
            let others: [(String, [[UInt8]], NitroPKI)] = [
                ("another image", Registers.make(image: "other", instanceID: "i-0123456789abcdef0"), stand.authority),
                ("the right PCR0 to PCR2 and a wrong PCR3", otherRole, stand.authority),
                ("debug mode", noRegisters, stand.authority),
                ("another root", KMSStand.image, NitroPKI(seed: "another")),
            ]
            for (name, registers, authority) in others {
                let enclave = try stand.enclave(registers: registers, authority: authority)
                #expect(try await enclave.offer(stand.role).outcome == .refused, "\(name)")
                #expect(!enclave.isOpen.withLock { $0 }, "\(name)")
                let store = WrappedKeys()
                #expect(await refusal { _ = try await seal(try enclave.vault(), store) } == .keyStoreFailed, "\(name)")
            }
        }
    }

    @Test func onlyCredentialsThatKMSAcceptsAreUsed() async throws {
        try await KMSStand.run { stand in
            let enclave = try stand.enclave()
            let foreign = AWSCredentialSet.random(principal: "arn:aws:iam::999999999999:role/alfred-parent")
            var expired = AWSCredentialSet.random(principal: KMSSettings.parentRole)
            expired.expires = Date(timeIntervalSinceNow: -60)
            for set in [foreign, expired] { try await stand.control.addAWSCredentials(set) }
            var wrongSecret = stand.role
            wrongSecret.secretAccessKey += "x"
            var wrongToken = stand.role
            wrongToken.sessionToken = "other"
            let unknown = AWSCredentialSet.random(principal: KMSSettings.parentRole)
            for set in [foreign, expired, wrongSecret, wrongToken, unknown, stand.person] {
                #expect(try await enclave.offer(set).outcome == .refused, "\(set.principal)")
            }
            #expect(try await enclave.offer(stand.role).outcome == .accepted)
            for set in [foreign, wrongSecret] { #expect(try await enclave.offer(set).outcome == .refused) }
            // Renewed, the new set displaces the old one.
            let renewed = AWSCredentialSet.random(principal: KMSSettings.parentRole)
            try await stand.control.addAWSCredentials(renewed)
            #expect(try await enclave.offer(renewed).outcome == .accepted)
            try await stand.control.removeAWSCredentials(id: stand.role.accessKeyID)
            let store = WrappedKeys()
            #expect(try await seal(try enclave.vault(), store).count > 0)
        }
    }

    @Test func noMisbehaviourOfTheServiceGivesAKey() async throws {
        try await KMSStand.run { stand in
            let enclave = try stand.enclave()
            #expect(try await enclave.offer(stand.role).outcome == .accepted)
            for misbehaviour in KMSMisbehaviour.allCases {
                try await stand.control.setKMSBehaviour(KMSBehaviour(misbehaviour: misbehaviour))
                let store = WrappedKeys()
                let outcome = await refusal { _ = try await seal(try enclave.vault(), store) }
                switch misbehaviour {
                case .wrongKeyID, .noKeyID, .plaintextBesideEnvelope, .plaintextInsteadOfEnvelope:
                    #expect(outcome == .keyPolicyMismatch, "\(misbehaviour)")
                default: #expect(outcome == .keyStoreFailed, "\(misbehaviour)")
                }
                #expect(store.rows.withLock { $0.isEmpty }, "\(misbehaviour)")
            }
            try await stand.control.setKMSBehaviour(KMSBehaviour())
            let store = WrappedKeys()
            #expect(try await seal(try enclave.vault(), store).count > 0)
        }
    }

    @Test func aReleaseOpensWhatTheOneBeforeSealedUntilItsRegistersLeaveThePolicy() async throws {
        try await KMSStand.run { stand in
            let newImage = Registers.make(image: "alfred-2", instanceID: "i-0123456789abcdef0")
            let store = WrappedKeys()
            let first = try stand.enclave()
            #expect(try await first.offer(stand.role).outcome == .accepted)
            let sealed = try await seal(try first.vault(), store)
            #expect(try await stand.enclave(registers: newImage).offer(stand.role).outcome == .refused)

            // Both are allowed while one replaces the other; the new one rotates the data key.
            try await stand.control.setKMSPolicy(KMSStand.policy(for: [KMSStand.image, newImage]))
            let second = try stand.enclave(registers: newImage)
            #expect(try await second.offer(stand.role).outcome == .accepted)
            let rotating = try second.vault(2, [1])
            #expect(try await open(sealed, rotating, store) == "payload")
            let rewrapped = try await blocking { [user] in
                try rotating.rewrapData(
                    purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, sealed: sealed, port: store)
            }
            #expect(try await open(rewrapped, try first.vault(1, [2]), store) == "payload")

            // The old release ends: its image gets nothing more, and the old version opens no more.
            try await stand.control.setKMSPolicy(KMSStand.policy(for: [newImage]))
            #expect(await refusal { _ = try await open(rewrapped, try first.vault(1, [2]), store) } == .keyStoreFailed)
            let third = try second.vault(2)
            #expect(try await open(rewrapped, third, store) == "payload")
            #expect(await refusal { _ = try await open(sealed, third, store) } == .keyPolicyMismatch)
        }
    }

    @Test func aServiceOutOfOrderIsAskedAgainAndCredentialsAreKept() async throws {
        try await KMSStand.run { stand in
            let enclave = try stand.enclave()
            try await stand.control.setFault(Fault(.kms, effect: .status(code: 503), times: 2))
            #expect(try await enclave.offer(stand.role).outcome == .accepted)
            let renewed = AWSCredentialSet.random(principal: KMSSettings.parentRole)
            try await stand.control.addAWSCredentials(renewed)
            try await stand.control.setFault(Fault(.kms, effect: .status(code: 503)))
            #expect(try await enclave.offer(renewed, session: 2).outcome == .kept)
            try await stand.control.clearFaults(.kms)
            // The accepted set ends; the one that was kept takes its place without being brought again.
            try await stand.control.removeAWSCredentials(id: stand.role.accessKeyID)
            let store = WrappedKeys()
            #expect(try await seal(try enclave.vault(), store).count > 0)
        }
    }

    @Test func aWrappedKeyThatTheHostMadeIsDeniedOrRefusedByItsLineage() async throws {
        try await KMSStand.run { stand in
            let enclave = try stand.enclave()
            #expect(try await enclave.offer(stand.role).outcome == .accepted)
            let store = WrappedKeys()
            _ = try await seal(try enclave.vault(), store)
            let context = ["key_id": KMSSettings.keyARN, "key_version": "2", "purpose": "data-key"]
            let encrypt: [String: Any] = [
                "KeyId": KMSSettings.keyARN, "Plaintext": Data(count: 32).base64EncodedString(),
                "EncryptionContext": context,
            ]
            let generate: [String: Any] = [
                "KeyId": KMSSettings.keyARN, "KeySpec": "AES_256", "EncryptionContext": context,
            ]
            for (operation, body, set) in [
                ("Encrypt", encrypt, stand.person), ("Encrypt", encrypt, stand.role),
                ("GenerateDataKey", generate, stand.role), ("GenerateDataKeyWithoutPlaintext", generate, stand.role),
            ] {
                let denied = try stand.call(operation, body, as: set)
                #expect((denied["__type"] as? String)?.hasSuffix("AccessDeniedException") == true, "\(operation)")
            }
            // Under a policy that is too wide KMS makes it, and would open it for the enclave.
            try await stand.control.setKMSPolicy(
                KMSStand.policy(
                    """
                    ,{"Effect":"Allow","Principal":{"AWS":"\(KMSSettings.parentRole)"},"Action":"kms:*","Resource":"*"}
                    """))
            for (operation, body) in [("Encrypt", encrypt), ("GenerateDataKey", generate)] {
                let made = try stand.call(operation, body, as: stand.role)
                let wrapped = try #require((made["CiphertextBlob"] as? String).flatMap { Base64.decode($0) })
                #expect(
                    try await blocking {
                        try enclave.service.unwrap(wrapped, keyID: KMSSettings.keyARN, version: 2).count
                    } == 32)
                store.rows.withLock { $0[2] = WrappedKey(provider: "aws", wrapped: wrapped, lineageMAC: nil) }
                #expect(await refusal { _ = try await seal(try enclave.vault(2, [1]), store) } == .keyPolicyMismatch)
            }
        }
    }
}
