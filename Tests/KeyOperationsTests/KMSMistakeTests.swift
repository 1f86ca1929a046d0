import CryptoExtras
import Foundation
import SimulatedNitro
import SimulatorKit
import Testing

@testable import KeyOperations

/// Mistakes that others made with Nitro and KMS: what the naive way gives an attacker who controls the host, and what
/// the policy of `alfredctl keys policy` leaves of it. What the enclave refuses of itself is shown in EnclaveKMSTests.
@Suite struct KMSMistakeTests {
    private static let account = KMSSettings.account

    private func naive(_ condition: String = "") -> String {
        #"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"\#(KMSWorld.role)"},"Action":"kms:*","Resource":"*""#
            + condition + "}]}"
    }

    private func generateWithoutRecipient(_ world: KMSWorld, _ set: AWSCredentialSet? = nil) async throws -> KMSAnswer {
        try await world.call(
            "GenerateDataKey",
            [
                "KeyId": .string(KMSSettings.keyARN), "KeySpec": "AES_256", "EncryptionContext": KMSWorld.context,
            ], as: set)
    }

    @Test func aDataKeyWithoutRecipientGoesToNobody() async throws {
        try await KMSWorld.run { world in
            let denied = try await generateWithoutRecipient(world)
            #expect(denied.error == "AccessDeniedException" && denied.plaintext == nil)
            try await world.control.setKMSPolicy(naive())
            #expect(try await generateWithoutRecipient(world).plaintext?.count == 32, "the host knows the data key")
        }
    }

    @Test func theHostCannotMakeAWrappedKeyWithEncrypt() async throws {
        try await KMSWorld.run { world in
            let planted: JSONValue = [
                "KeyId": .string(KMSSettings.keyARN), "Plaintext": .blob(of: [UInt8](repeating: 7, count: 32)),
                "EncryptionContext": KMSWorld.context,
            ]
            for set in [world.parent, world.person, world.administrator] {
                #expect(try await world.call("Encrypt", planted, as: set).error == "AccessDeniedException")
            }
            try await world.control.setKMSPolicy(naive())
            let blob = try #require(try await world.call("Encrypt", planted).ciphertext)
            // The enclave's own Decrypt opens it: only its lineage MAC can tell.
            let opened = try await world.call(
                "Decrypt",
                [
                    "KeyId": .string(KMSSettings.keyARN), "CiphertextBlob": .blob(of: blob),
                    "EncryptionContext": KMSWorld.context, "Recipient": world.recipientMember(),
                ])
            #expect(try world.open(try #require(opened.envelope)) == [UInt8](repeating: 7, count: 32))
        }
    }

    @Test func theRightImageOnAnotherRoleGetsNoKey() async throws {
        try await KMSWorld.run { world in
            let authority = world.module.authority
            let clone = SimulatedSecureModule(
                authority: authority,
                registers: Registers.make(
                    image: KMSWorld.image, role: "arn:aws:iam::444455556666:role/thief",
                    instanceID: authority.instanceID))
            #expect((0...2).allSatisfy { clone.registers[$0] == world.module.registers[$0] })
            #expect(try await world.generate(clone).error == "AccessDeniedException")
            let image = hex(clone.registers[0])
            try await world.control.setKMSPolicy(
                naive(
                    #","Condition":{"StringEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"\#(image)"}}"#))
            #expect(try await world.generate(clone).status == 200, "PCR0 alone lets the copy in")
        }
    }

    @Test func anotherImageAndADebugEnclaveGetNoKey() async throws {
        try await KMSWorld.run { world in
            let authority = world.module.authority
            let other = SimulatedSecureModule(
                authority: authority,
                registers: Registers.make(image: "evil", role: KMSWorld.role, instanceID: authority.instanceID))
            let debug = SimulatedSecureModule(authority: authority, registers: world.module.registers)
            for index in 0...2 { debug.setRegister(index, Registers.zero) }
            #expect(try await world.generate(other).error == "AccessDeniedException")
            #expect(try await world.generate(debug).error == "AccessDeniedException")
            let zeros = String(repeating: "0", count: 96)
            try await world.control.setKMSPolicy(
                naive(#","Condition":{"StringEqualsIgnoreCase":{"kms:RecipientAttestation:PCR0":"\#(zeros)"}}"#))
            #expect(try await world.generate(debug).status == 200, "the tutorial's policy lets any debug enclave in")
        }
    }

    @Test func negatedAndOptionalConditionsFailOpen() async throws {
        try await KMSWorld.run { world in
            let image = hex(world.module.registers[0])
            for test in ["StringEqualsIfExists", "StringNotEquals", "ForAllValues:StringEquals"] {
                let value = test == "StringNotEquals" ? String(repeating: "0", count: 96) : image
                let text = naive(#","Condition":{"\#(test)":{"kms:RecipientAttestation:PCR0":"\#(value)"}}"#)
                try await world.control.setKMSPolicy(text)
                #expect(try await generateWithoutRecipient(world).plaintext?.count == 32, "\(test)")
                let holes = PolicyLint(administrators: []).holes(in: Array(text.utf8)) ?? []
                #expect(holes.contains { $0.kind == .withoutAttestation || $0.kind == .weakCondition }, "\(test)")
            }
        }
    }

    @Test func theAccountRootStatementIsAWayAroundAttestation() async throws {
        try await KMSWorld.run { world in
            let all: JSONValue = ["Statement": ["Effect": "Allow", "Action": "kms:*", "Resource": "*"]]
            try await world.control.setIdentityPolicy(all, of: KMSWorld.role)
            #expect(try await generateWithoutRecipient(world).error == "AccessDeniedException")
            let root =
                #"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::\#(Self.account):root"},"#
                + #""Action":"kms:*","Resource":"*"}]}"#
            try await world.control.setKMSPolicy(root)
            #expect(try await generateWithoutRecipient(world).plaintext?.count == 32)
        }
    }

    @Test func whoMayMakeGrantsOrPoliciesOwnsTheKey() async throws {
        try await KMSWorld.run { world in
            let grant: JSONValue = [
                "KeyId": .string(KMSSettings.keyARN), "GranteePrincipal": .string(KMSWorld.role),
                "Operations": ["GenerateDataKey", "Decrypt"],
            ]
            for set in [world.parent, world.person, world.administrator] {
                #expect(try await world.call("CreateGrant", grant, as: set).error == "AccessDeniedException")
            }
            let policy: JSONValue = ["KeyId": .string(KMSSettings.keyARN), "Policy": .string(naive())]
            #expect(try await world.call("PutKeyPolicy", policy).error == "AccessDeniedException")
            let loose =
                #"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"\#(KMSWorld.role)"},"Action":"kms:CreateGrant"}]}"#
            try await world.control.setKMSPolicy(loose)
            #expect(try await world.call("CreateGrant", grant).status == 200)
            #expect(try await generateWithoutRecipient(world).plaintext?.count == 32)
        }
    }

    @Test func reEncryptTakesACiphertextOutOfItsContext() async throws {
        try await KMSWorld.run { world in
            let made = try await world.generate()
            let stolen: JSONValue = [
                "CiphertextBlob": .blob(of: made.ciphertext), "SourceEncryptionContext": KMSWorld.context,
                "DestinationKeyId": .string(KMSSettings.keyARN),
                "DestinationEncryptionContext": ["purpose": "data-key", "version": "2"],
            ]
            for set in [world.parent, world.person, world.administrator] {
                #expect(try await world.call("ReEncrypt", stolen, as: set).error == "AccessDeniedException")
            }
            try await world.control.setKMSPolicy(naive())
            #expect(try await world.call("ReEncrypt", stolen).ciphertext != nil, "an old key passes for the new one")
        }
    }

    /// Without a key in the request, KMS takes the one that the ciphertext names: the attacker's.
    @Test func aDecryptThatNamesNoKeyOpensTheAttackersCiphertext() async throws {
        try await KMSWorld.run { world in
            let thief = AWSCredentialSet.random(principal: "arn:aws:iam::444455556666:role/thief")
            let own = "arn:aws:kms:\(KMSSettings.region):444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            try await world.control.addAWSCredentials(thief)
            try await world.control.putKMSKey(
                try KMSKeyDescription(
                    arn: own,
                    policyText:
                        #"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"\#(thief.principal)"},"Action":"kms:*"}]}"#
                ))
            let known: JSONValue = [
                "KeyId": .string(own), "Plaintext": .blob(of: [UInt8](repeating: 9, count: 32)),
                "EncryptionContext": KMSWorld.context,
            ]
            let blob = try await world.call("Encrypt", known, as: thief).ciphertext
            var request: [String: JSONValue] = [
                "CiphertextBlob": .blob(of: blob), "EncryptionContext": KMSWorld.context,
                "Recipient": world.recipientMember(),
            ]
            let naive = try await world.call("Decrypt", .object(request), as: thief)
            #expect(try world.open(try #require(naive.envelope)) == [UInt8](repeating: 9, count: 32))
            request["KeyId"] = .string(KMSSettings.keyARN)
            #expect(try await world.call("Decrypt", .object(request), as: thief).error == "IncorrectKeyException")
            // A wrapped key of the right ARN cannot be asked for with the thief's credentials at all.
            request["CiphertextBlob"] = .blob(of: try await world.generate().ciphertext)
            #expect(try await world.call("Decrypt", .object(request), as: thief).error == "AccessDeniedException")
        }
    }

    /// Documents are not bound to a request: within five minutes a caught one is good for another request, but what
    /// comes back is for the enclave's RSA key alone.
    @Test func aReplayedDocumentGivesTheHostOnlyWhatItCannotOpen() async throws {
        try await KMSWorld.run { world in
            let caught = world.recipientMember()
            let request: JSONValue = [
                "KeyId": .string(KMSSettings.keyARN), "KeySpec": "AES_256", "EncryptionContext": KMSWorld.context,
                "Recipient": caught,
            ]
            let (first, second) = (
                try await world.call("GenerateDataKey", request), try await world.call("GenerateDataKey", request)
            )
            for answer in [first, second] {
                #expect(answer.status == 200 && answer.json["Plaintext"] == .null && answer.plaintext == nil)
            }
            #expect(first.envelope != second.envelope)
        }
    }
}
