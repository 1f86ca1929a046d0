import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// A client as others wrote it: one RSA key for the process, no encryption context, no look at key and plaintext.
struct NaiveClient {
    let kms: FakeKMS
    let recipient: RecipientKey

    func reply(_ operation: KMSOperation) throws -> KMSReply {
        let module = FakeModule()
        let document = try module.attest(userData: nil, nonce: nil, publicKey: recipient.publicKey)
        let key = try #require(AWSKeyID(keyARN))
        return try kms.post(
            operation.body(key: key, context: [], document: document), target: operation.target,
            credentials: AWSCredentials(credentials("ROLE")), milliseconds: 1000)
    }

    func key(_ reply: KMSReply) throws -> [UInt8]? {
        let object = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any]
        if let plaintext = object?["Plaintext"] as? String { return Base64.decode(plaintext) }
        guard let envelope = (object?["CiphertextForRecipient"] as? String).flatMap({ Base64.decode($0) }) else {
            return nil
        }
        return recipient.opened(envelope)
    }
}

@Suite struct AWSKeyManagementTests {
    private let bench: KMSBench
    private let naive: NaiveClient

    init() throws {
        bench = try KMSBench()
        naive = NaiveClient(kms: bench.kms, recipient: try #require(RecipientKey()))
    }

    private func change(_ body: @escaping @Sendable (FakeKMS.Request, inout [String: String?]) -> Void) {
        bench.kms.state.withLock { $0.change = body }
    }

    @Test func makesAKeyAndUnwrapsItAgain() throws {
        let made = try bench.generate()
        #expect(made.plaintext.count == 32)
        #expect(try bench.unwrap(made.wrapped) == made.plaintext)
        #expect(bench.requests.map(\.target) == ["TrentService.GenerateDataKey", "TrentService.Decrypt"])
    }

    @Test func asksForOneKeyInOneContextWithADocumentForThisRequestAlone() throws {
        let made = try bench.generate(version: 7)
        _ = try bench.unwrap(made.wrapped, version: 7)
        for request in bench.requests {
            #expect(request.keyID == keyARN)
            #expect(request.context == ["key_id": keyARN, "key_version": "7", "purpose": "data-key"])
            #expect(request.userData == Array("alfred-kms/1".utf8))
            #expect(request.nonce.count == 32)
        }
        #expect(Set(bench.requests.map(\.nonce)).count == 2)
        #expect(Set(bench.requests.map(\.publicKey)).count == 2)
    }

    @Test func refusesAPlaintextBesideOrInsteadOfTheEnvelope() throws {
        let chosen = Base64.encode([UInt8](repeating: 0x41, count: 32))
        for keepsEnvelope in [true, false] {
            change { _, members in
                members["Plaintext"] = chosen
                if !keepsEnvelope { members["CiphertextForRecipient"] = .some(nil) }
            }
            #expect(try naive.key(try naive.reply(.generateDataKey)) == Base64.decode(chosen))
            #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyPolicyMismatch)
        }
        // Null, absent and empty are what KMS answers to a request with a recipient.
        for plaintext in [String??.some(nil), .some(""), nil] {
            change { _, members in members["Plaintext"] = plaintext }
            #expect(try bench.generate().plaintext.count == 32)
        }
    }

    @Test func refusesAnAnswerThatNamesAnotherKey() throws {
        let names: [String?] = [
            "arn:aws:kms:eu-central-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:111122223333:alias/alfred", "1234abcd-12ab-34cd-56ef-1234567890ab", keyARN + " ",
            keyARN.uppercased(), "", nil,
        ]
        for name in names {
            change { _, members in members["KeyId"] = name }
            #expect(try naive.key(try naive.reply(.generateDataKey))?.count == 32)
            #expect(
                bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyPolicyMismatch,
                "\(name ?? "none")")
        }
    }

    @Test func aWrappedKeyOfAnotherIDVersionOrPurposeDoesNotOpen() throws {
        // Without a context any ciphertext of the key stands in for any other.
        let swapped = bench.kms.encrypt([UInt8](repeating: 0x41, count: 32), [:])
        #expect(try naive.key(try naive.reply(.decrypt(swapped)))?.first == 0x41)
        let made = try bench.generate(version: 1)
        #expect(
            bench.fault { () throws(VaultError) in _ = try bench.unwrap(made.wrapped, version: 2) } == .keyStoreFailed)
        let secret = bench.kms.encrypt([UInt8](repeating: 0x41, count: 32), ["purpose": "GOOGLE_OAUTH_CLIENT_SECRET"])
        #expect(bench.fault { () throws(VaultError) in _ = try bench.unwrap(secret) } == .keyStoreFailed)
        #expect(bench.fault { () throws(VaultError) in _ = try bench.unwrap(swapped) } == .keyStoreFailed)
        #expect(throws: VaultError.keyPolicyMismatch) {
            _ = try bench.client.unwrap(made.wrapped, keyID: "kms/local/alfred-refresh-token", version: 1)
        }
    }

    @Test func anAnswerToAnotherRequestDoesNotOpen() throws {
        // The key of an earlier version, answered again where another one was asked for.
        let first = try naive.reply(.generateDataKey)
        #expect(try naive.key(first) != nil)
        #expect(try naive.key(first) == naive.key(first))
        let recorded = Mutex<String??>(nil)
        let made = try bench.generate(version: 1)
        bench.kms.state.withLock {
            $0.change = { _, members in
                recorded.withLock { recorded in
                    if let earlier = recorded { members["CiphertextForRecipient"] = earlier }
                    recorded = recorded ?? members["CiphertextForRecipient"]
                }
            }
        }
        #expect(try bench.unwrap(made.wrapped) == made.plaintext)
        #expect(bench.fault { () throws(VaultError) in _ = try bench.unwrap(made.wrapped) } == .keyStoreFailed)
    }

    @Test func refusesAnswersThatAreNoneOfKMS() throws {
        let changes: [(String, @Sendable (inout [String: String?]) -> Void)] = [
            ("no envelope", { $0["CiphertextForRecipient"] = .some(nil) }),
            ("an empty envelope", { $0["CiphertextForRecipient"] = "" }),
            ("no base64", { $0["CiphertextForRecipient"] = "a" }),
            ("no ciphertext", { $0["CiphertextBlob"] = .some(nil) }),
            ("an empty ciphertext", { $0["CiphertextBlob"] = "" }),
            ("a ciphertext too long", { $0["CiphertextBlob"] = Base64.encode([UInt8](repeating: 1, count: 4097)) }),
            ("a member named twice", { $0["x\":null,\"KeyId"] = keyARN }),
        ]
        for (name, apply) in changes {
            change { _, members in apply(&members) }
            #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyStoreFailed, "\(name)")
        }
        for count in [16, 31, 33, 64] {
            change { request, members in
                let envelope = try? TestEnvelope().seal([UInt8](repeating: 1, count: count), to: request.publicKey)
                members["CiphertextForRecipient"] = envelope.map(Base64.encode)
            }
            #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyStoreFailed, "\(count)")
        }
        let made = Mutex<[UInt8]>([])
        change { request, members in made.withLock { $0 = request.ciphertext ?? [] } }
        for count in [31, 33] {
            let wrapped = bench.kms.encrypt(
                [UInt8](repeating: 1, count: count), ["key_id": keyARN, "key_version": "1", "purpose": "data-key"])
            #expect(bench.fault { () throws(VaultError) in _ = try bench.unwrap(wrapped) } == .keyStoreFailed)
            #expect(made.withLock { $0 } == wrapped)
        }
    }

    @Test func triesAgainAFewTimesWhileKMSIsBusy() throws {
        let busy = [
            (400, "ThrottlingException"), (503, "ServiceUnavailable"), (429, "x"), (500, "KMSInternalException"),
        ]
        for failure in busy {
            bench.kms.state.withLock { $0.failures = [failure, failure] }
            #expect(try bench.generate().plaintext.count == 32, "\(failure)")
        }
        let before = bench.requests.count
        bench.kms.state.withLock { $0.failures = Array(repeating: (503, "x"), count: 10) }
        #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyStoreFailed)
        #expect(bench.requests.count == before + AWSKeyManagement.maximumTries)
        let waits = bench.pauses.value.withLock { $0 }
        #expect(waits.count == 2 * busy.count + AWSKeyManagement.maximumTries - 1)
        #expect(waits.allSatisfy { (200..<1000).contains($0) })
    }

    @Test func asksOnceWhereAskingAgainCannotHelp() throws {
        for type in ["InvalidCiphertextException", "DisabledException", "NotFoundException", "ValidationException"] {
            let before = bench.requests.count
            bench.kms.state.withLock { $0.failures = [(400, type)] }
            #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyStoreFailed)
            #expect(bench.requests.count == before + 1, "\(type)")
        }
    }

    @Test func aRefusedRequestCostsNoRecipientKey() throws {
        bench.kms.state.withLock { $0.failures = [(400, "AccessDeniedException")] }
        #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyStoreFailed)
        _ = try bench.generate()
        let keys = bench.requests.map(\.publicKey)
        #expect(keys[0] == keys[1])
        // One that was answered is used up.
        _ = try bench.generate()
        #expect(bench.requests.map(\.publicKey)[2] != keys[1])
    }

    @Test func withoutTheSecureModuleNothingIsAsked() throws {
        bench.module.state.withLock { $0.fails = true }
        #expect(bench.fault { () throws(VaultError) in _ = try bench.generate() } == .keyStoreFailed)
        #expect(bench.requests.isEmpty)
    }

    @Test func knowsFullARNsOnly() {
        #expect(AWSKeyID(keyARN)?.region == "eu-central-1")
        for text in [
            "alias/alfred", "arn:aws:kms:eu-central-1:111122223333:alias/alfred",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:11112222333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:s3:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "\(keyARN)\"", "",
        ] { #expect(AWSKeyID(text) == nil, "\(text)") }
    }
}
