import AsyncHTTPClient
import Foundation
import SimulatedNitro
import SimulatorKit
import Testing

@testable import KeyOperations

/// The simulated KMS answers as the real one does.
@Suite struct KMSSimulatorTests {
    @Test(arguments: KMSEnvelopeShape.allCases)
    func givesADataKeyInAnEnvelopeThatOpenSSLOpens(_ shape: KMSEnvelopeShape) async throws {
        try await KMSWorld.run { world in
            try await world.control.setKMSBehaviour(KMSBehaviour(shape: shape))
            let made = try await world.generate()
            #expect(made.status == 200 && made.json["KeyId"]?.text == KMSSettings.keyARN)
            #expect(made.json["Plaintext"] == .null)
            let envelope = try #require(made.envelope)
            #expect(envelope.starts(with: [0x30, 0x80]), "indefinite length")
            let key = try #require(try world.open(envelope))
            #expect(key.count == 32)
            let opened = try await world.call(
                "Decrypt",
                [
                    "KeyId": .string(KMSSettings.keyARN), "CiphertextBlob": .blob(of: made.ciphertext),
                    "EncryptionContext": KMSWorld.context, "Recipient": world.recipientMember(),
                ])
            #expect(try world.open(try #require(opened.envelope)) == key)
        }
    }

    /// curl signs as the enclave's libcurl does.
    @Test func acceptsTheSignatureOfCurl() async throws {
        try await KMSWorld.run { world in
            let port = world.endpoints.kms.split(separator: ":").last ?? ""
            let host = "kms.\(KMSSettings.region).amazonaws.com"
            let arguments = [
                "-s", "--cacert", world.endpoints.caFile, "--connect-to", "\(host):443:127.0.0.1:\(port)",
                "--aws-sigv4", "aws:amz:\(KMSSettings.region):kms", "--user",
                "\(world.administrator.accessKeyID):\(world.administrator.secretAccessKey)",
                "-H", "x-amz-security-token: \(world.administrator.sessionToken ?? "")",
                "-H", "content-type: application/x-amz-json-1.1", "-H", "x-amz-target: TrentService.DescribeKey",
                "-d", #"{"KeyId":"\#(KMSSettings.keyARN)"}"#, "https://\(host)/",
            ]
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["curl"] + arguments
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            let answer = try JSONDecoder().decode(JSONValue.self, from: data)
            #expect(answer["KeyMetadata"]?["Arn"]?.text == KMSSettings.keyARN, "\(answer)")
        }
    }

    @Test func refusesWhatTheServiceRefusesOfSignatures() async throws {
        try await KMSWorld.run { world in
            let body: JSONValue = ["KeyId": .string(KMSSettings.keyARN)]
            func error(
                _ set: AWSCredentialSet? = nil, at date: Date = Date(), _ spoil: (inout [String: String]) -> Void
            )
                async throws -> String?
            {
                try await world.call(
                    "DescribeKey", body, as: set ?? world.administrator, at: date, spoil: spoil
                ).error
            }
            #expect(try await error { _ in } == nil)
            #expect(try await error { $0["authorization"] = nil } == "MissingAuthenticationTokenException")
            #expect(try await error { $0["authorization"]?.removeLast() } == "InvalidSignatureException")
            #expect(try await error { $0["x-amz-target"] = "TrentService.GetKeyPolicy" } == "InvalidSignatureException")
            #expect(try await error { $0["x-amz-security-token"] = "other" } == "UnrecognizedClientException")
            #expect(try await error(at: Date() - 600) { _ in } == "InvalidSignatureException")
            let stranger = AWSCredentialSet.random(principal: KMSSettings.administratorRole)
            #expect(try await error(stranger) { _ in } == "UnrecognizedClientException")
            let old = AWSCredentialSet.random(principal: KMSSettings.administratorRole, expires: Date() - 1)
            try await world.control.addAWSCredentials(old)
            #expect(try await error(old) { _ in } == "ExpiredTokenException")
        }
    }

    @Test func namesItsErrorsAsTheServiceDoes() async throws {
        try await KMSWorld.run { world in
            let made = try await world.generate()
            func decrypt(_ changes: [String: JSONValue]) async throws -> String? {
                var body: [String: JSONValue] = [
                    "KeyId": .string(KMSSettings.keyARN), "CiphertextBlob": .blob(of: made.ciphertext),
                    "EncryptionContext": KMSWorld.context, "Recipient": world.recipientMember(),
                ]
                body.merge(changes) { _, new in new }
                return try await world.call("Decrypt", .object(body)).error
            }
            #expect(try await decrypt([:]) == nil)
            var flipped = try #require(made.ciphertext)
            flipped[flipped.count - 1] ^= 1
            #expect(try await decrypt(["CiphertextBlob": .blob(of: flipped)]) == "InvalidCiphertextException")
            let otherVersion: JSONValue = ["purpose": "data-key", "version": "2"]
            #expect(try await decrypt(["EncryptionContext": otherVersion]) == "InvalidCiphertextException")
            #expect(try await decrypt(["CiphertextBlob": "?"]) == "SerializationException")
            #expect(try await decrypt(["Recipient": ["AttestationDocument": "AA=="]]) == "ValidationException")
            let other = String(KMSSettings.keyARN.dropLast()) + "0"
            #expect(try await decrypt(["KeyId": .string(other)]) == "NotFoundException")
            try await world.control.putKMSKey(try KMSKeyDescription(arn: other, policyText: #"{"Statement":[]}"#))
            #expect(try await decrypt(["KeyId": .string(other)]) == "IncorrectKeyException")
            for (state, expected) in [
                (KMSKeyDescription.State.disabled, "DisabledException"), (.pendingDeletion, "KMSInvalidStateException"),
            ] {
                var key = try #require(try await world.control.kmsKeys().first { $0.arn == KMSSettings.keyARN })
                key.state = state
                try await world.control.putKMSKey(key)
                #expect(try await decrypt([:]) == expected)
            }
            let throttled: JSONValue = ["__type": "ThrottlingException"]
            try await world.control.setFault(Fault(.kmsDecrypt, effect: .status(code: 400, body: throttled), times: 1))
            #expect(try await decrypt([:]) == "ThrottlingException")
            #expect(try await world.call("Sign", [:]).error == "UnknownOperationException")
        }
    }

    @Test func judgesDocumentsForReal() async throws {
        try await KMSWorld.run { world in
            #expect(try await world.generate().status == 200)
            for misbehaviour in [Misbehaviour.otherRoot, .foreignKey, .expiredChain, .clock(offsetSeconds: -400)] {
                world.module.misbehave(misbehaviour)
                let document = world.module.draft(publicKey: world.recipientKey, misbehaviour).encoded()
                let answer = try await world.call(
                    "GenerateDataKey",
                    [
                        "KeyId": .string(KMSSettings.keyARN), "KeySpec": "AES_256",
                        "EncryptionContext": KMSWorld.context, "Recipient": world.recipientMember(document: document),
                    ])
                #expect(answer.error == "ValidationException", "\(misbehaviour)")
                #expect(answer.ciphertext == nil && answer.plaintext == nil)
            }
        }
    }

    @Test(arguments: KMSMisbehaviour.allCases)
    func canMisbehaveSoThatAnHonestAnswerIsTellable(_ misbehaviour: KMSMisbehaviour) async throws {
        try await KMSWorld.run { world in
            try await world.control.setKMSBehaviour(KMSBehaviour(misbehaviour: misbehaviour))
            let answer = try await world.generate()
            let opened = try answer.envelope.map { try world.open($0) } ?? nil
            let isHonest =
                opened?.count == 32 && answer.json["Plaintext"] == .null
                && answer.json["KeyId"]?.text == KMSSettings.keyARN && answer.json["Padding"] == nil
            // What OpenSSL takes without a word is left to the enclave's own checks.
            let lenient: Set<KMSMisbehaviour> = [
                .twoRecipients, .oaepSHA1, .aes128, .trailingBytes, .recipientByIssuer,
            ]
            #expect(!isHonest || lenient.contains(misbehaviour))
        }
    }
}
