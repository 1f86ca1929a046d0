import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import SimulatorKit
import Synchronization
import Testing

@testable import KeyOperations

/// The host's AWS credentials: from the environment, else from the instance's metadata.
@Suite struct CredentialTests {
    private func configuration(_ variables: [String: String]) throws -> KeyAccessConfiguration {
        var environment = variables
        environment["ALFRED_ENV"] = "local"
        let folder = FileManager.default.temporaryDirectory.path
        var reader = ConfigurationReader(
            EnvironmentSource.load(process: .worker, environment: environment, directory: folder))
        let configuration = KeyAccessConfiguration(reading: &reader)
        try reader.finish()
        return configuration
    }

    /// A clock that a test moves.
    private final class Clock: Sendable {
        private let date = Mutex(Date())
        var now: Date { date.withLock { $0 } }
        func advance(_ seconds: Double) { date.withLock { $0 += seconds } }
    }

    @Test func takesThoseOfTheEnvironmentFirst() async throws {
        let source = HostCredentials(
            try configuration([
                "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret/value",
                "AWS_SESSION_TOKEN": "token", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
                "GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT": "kms:3:AQID",
            ]))
        let set = try await source.credentials()
        #expect(set.accessKeyID == "AKIDEXAMPLE" && set.secretAccessKey == Array("secret/value".utf8))
        #expect(set.sessionToken == Array("token".utf8) && set.expiresAt == nil)
        #expect(set.clientSecret == KMSCredentials.ClientSecret(version: 3, ciphertext: [1, 2, 3]))
    }

    @Test(arguments: [
        ["AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"], ["AWS_SECRET_ACCESS_KEY": "s"], ["AWS_SESSION_TOKEN": "t"],
        ["AWS_ACCESS_KEY_ID": "AK ID", "AWS_SECRET_ACCESS_KEY": "s"],
        ["GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT": "kms:AQID"],
        ["GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT": "kms:0:AQID"],
        ["GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT": "plain"],
    ])
    func refusesHalfASetAndBrokenCiphertext(_ variables: [String: String]) {
        #expect(throws: ConfigurationError.self) { try configuration(variables) }
    }

    @Test func takesTheRolesFromTheMetadataAndRenewsThemFiveMinutesBeforeTheEnd() async throws {
        let clock = Clock()
        try await KMSWorld.run(now: { clock.now }) { world in
            try await world.control.setInstanceMetadata(
                InstanceMetadataSettings(lifeSeconds: 3600, replacedSeconds: 600))
            let source = HostCredentials(
                try configuration(["AWS_EC2_METADATA_SERVICE_ENDPOINT": world.endpoints.metadata]), now: { clock.now })
            let first = try await source.credentials()
            #expect(first.accessKeyID.hasPrefix("ASIA") && first.sessionToken != nil && first.expiresAt != nil)
            clock.advance(3600 - 310)
            #expect(try await source.credentials() == first, "asked from memory")
            #expect(try await world.control.count(of: .metadataCredentials) == 1)
            clock.advance(20)
            let second = try await source.credentials()
            #expect(second != first)
            // They are good at KMS for the role that they are of.
            let set = AWSCredentialSet(
                accessKeyID: second.accessKeyID,
                secretAccessKey: String(decoding: second.secretAccessKey, as: UTF8.self),
                sessionToken: second.sessionToken.map { String(decoding: $0, as: UTF8.self) }, principal: KMSWorld.role)
            let answer = try await world.call(
                "DescribeKey", ["KeyId": .string(KMSSettings.keyARN)], as: set, at: clock.now)
            #expect(answer.error == "AccessDeniedException", "known, but without a right to this")
            // While the service is away, what there is serves to its end.
            try await world.control.setFault(Fault(.metadata, effect: .status(code: 500)))
            clock.advance(3400)
            #expect(try await source.credentials() == second)
            clock.advance(300)
            await #expect(throws: CredentialSourceError.refused) { try await source.credentials() }
        }
    }

    @Test func saysWhyThereAreNone() async throws {
        try await KMSWorld.run { world in
            let source = HostCredentials(
                try configuration(["AWS_EC2_METADATA_SERVICE_ENDPOINT": world.endpoints.metadata]))
            try await world.control.setInstanceMetadata(InstanceMetadataSettings(role: nil))
            await #expect(throws: CredentialSourceError.none) { try await source.credentials() }
            try await world.control.setInstanceMetadata(InstanceMetadataSettings(lifeSeconds: 0))
            await #expect(throws: CredentialSourceError.expired) { try await source.credentials() }
            try await world.control.setFault(Fault(.metadataToken, effect: .status(code: 403), times: 1))
            await #expect(throws: CredentialSourceError.refused) { try await source.credentials() }
        }
        let nowhere = HostCredentials(
            try configuration(["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"]))
        await #expect(throws: CredentialSourceError.unreachable) { try await nowhere.credentials() }
    }

    // MARK: - keys encrypt

    @Test func makesAValueThatOnlyItsPurposeAndVersionOpens() async throws {
        try await KMSWorld.run { world in
            let variables = [
                "AWS_ACCESS_KEY_ID": world.person.accessKeyID,
                "AWS_SECRET_ACCESS_KEY": world.person.secretAccessKey,
                "AWS_SESSION_TOKEN": world.person.sessionToken ?? "",
                "KMS_KEY_ID": KMSSettings.keyARN, "KMS_ENDPOINT_URL": world.endpoints.kms,
                "EGRESS_CA_FILE": world.endpoints.caFile,
            ]
            let configured = try OperatorConfiguration(
                EnvironmentSource.load(
                    process: .operator, environment: variables,
                    directory: FileManager.default.temporaryDirectory.path)
            ).forCloudKey()
            let encryption = OperatorEncryption(
                configured.key, credentials: HostCredentials(configured.access),
                rootsFile: configured.general.egressCAFile)
            let value = try await encryption.value(
                of: Array("the secret".utf8), named: "GOOGLE_OAUTH_CLIENT_SECRET", version: 7)
            let read = try #require(ClientSecretCiphertext(value))
            #expect(read.version == 7)
            func open(_ version: String) async throws -> KMSAnswer {
                try await world.call(
                    "Decrypt",
                    [
                        "KeyId": .string(KMSSettings.keyARN), "CiphertextBlob": .blob(of: read.ciphertext),
                        "EncryptionContext": [
                            "purpose": "GOOGLE_OAUTH_CLIENT_SECRET", "version": .string(version),
                        ],
                        "Recipient": world.recipientMember(),
                    ])
            }
            #expect(try world.open(try #require(try await open("7").envelope)) == Array("the secret".utf8))
            #expect(try await open("8").error == "InvalidCiphertextException")
            await #expect(throws: OperatorEncryption.Failure.refused("AccessDeniedException")) {
                try await encryption.value(of: [1], named: "data-key", version: nil)
            }
            try await world.control.setKMSBehaviour(KMSBehaviour(misbehaviour: .wrongKeyID))
            await #expect(throws: OperatorEncryption.Failure.answerInvalid) {
                try await encryption.value(of: [1], named: "TEE_ATTESTATION_SIGNING_PRIVATE_KEY", version: nil)
            }
        }
    }

    @Test(arguments: [
        "kms/local/alfred-refresh-token", "arn:aws:kms:eu-central-1:111122223333:alias/alfred",
        "arn:aws:kms:eu-central-1:111122223333:key/mrk-1234",
        "arn:aws:kms::111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ])
    func encryptsUnderAFullKeyARNOnly(_ id: String) {
        #expect(CloudKeyConfiguration.region(of: id) == nil)
    }
}
