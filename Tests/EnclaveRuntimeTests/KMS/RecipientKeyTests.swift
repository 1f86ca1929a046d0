import AttestedSession
import COpenSSL
import Foundation
import Sodium
import Testing

@testable import EnclaveRuntime

/// What is taken for an answer's envelope, and what is not.
@Suite struct RecipientKeyTests {
    private static let key = RecipientKey()
    private static let plaintext = Array(0..<UInt8(32))

    private func open(_ envelope: [UInt8], atMost limit: Int = 32) throws -> [UInt8]? {
        try #require(Self.key).opened(envelope, atMost: limit)
    }

    private func sealed(
        _ plaintext: [UInt8] = plaintext, _ change: (inout TestEnvelope) -> Void = { _ in }
    ) throws -> [UInt8] {
        var envelope = TestEnvelope()
        change(&envelope)
        return try envelope.seal(plaintext, to: try #require(Self.key).publicKey)
    }

    @Test func opensEveryShapeThatKMSMayAnswerWith() throws {
        for isIndefinite in [true, false] {
            for content in [.constructed(pieces: 1), .constructed(pieces: 3), .primitive] as [TestEnvelope.Content] {
                let envelope = try sealed {
                    $0.isIndefinite = isIndefinite
                    $0.content = content
                }
                #expect(try open(envelope) == Self.plaintext, "\(isIndefinite) \(content)")
            }
        }
    }

    @Test func opensWhatTheCommandLineToolOfOpenSSLMakes() throws {
        let folder = try TemporaryFolder()
        let pem =
            "-----BEGIN PUBLIC KEY-----\n\(Data(try #require(Self.key).publicKey).base64EncodedString())\n"
            + "-----END PUBLIC KEY-----\n"
        _ = try folder.write("recipient.pub", pem)
        try Data(Self.plaintext).write(to: URL(fileURLWithPath: "\(folder.path)/key.bin"))
        _ = try folder.write("ext", "subjectKeyIdentifier=hash\n")
        let encrypt =
            "openssl cms -encrypt -binary -aes256 -keyid -in key.bin -outform DER -recip recipient.pem"
            + " -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256"
        for command in [
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
            "openssl x509 -new -force_pubkey recipient.pub -subj /CN=r -CA ca.pem -CAkey ca.key -extfile ext -out recipient.pem",
            "\(encrypt) -indef -out indefinite", "\(encrypt) -noindef -out definite",
        ] { try run(command, in: folder.path) }
        for name in ["indefinite", "definite"] {
            let envelope = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/\(name)"))
            #expect(try open(Array(envelope)) == Self.plaintext, "\(name)")
        }
    }

    @Test func refusesEveryOtherAlgorithmAndForm() throws {
        let wrong: [(String, (inout TestEnvelope) -> Void)] = [
            ("two recipients", { $0.recipients = 2 }), ("no recipient", { $0.recipients = 0 }),
            ("a recipient by issuer", { $0.namesIssuer = true }),
            ("PKCS #1 v1.5", { $0.padding = RSA_PKCS1_PADDING }),
            ("OAEP with SHA-1", { ($0.oaepHash, $0.maskHash) = (NID_sha1, NID_sha1) }),
            ("OAEP with SHA-512", { ($0.oaepHash, $0.maskHash) = (NID_sha512, NID_sha512) }),
            ("MGF1 with SHA-1", { $0.maskHash = NID_sha1 }), ("an OAEP label", { $0.label = [1, 2] }),
            ("AES-128", { ($0.cipher, $0.contentKeyBytes) = (NID_aes_128_cbc, 16) }),
            ("AES-192", { ($0.cipher, $0.contentKeyBytes) = (NID_aes_192_cbc, 24) }),
            ("triple DES", { ($0.cipher, $0.contentKeyBytes, $0.ivBytes) = (NID_des_ede3_cbc, 24, 8) }),
            ("AES in counter mode", { $0.cipher = NID_aes_256_ctr }),
            ("a content key of 16 bytes", { $0.contentKeyBytes = 16 }),
            ("a content key of 33 bytes", { $0.contentKeyBytes = 33 }),
            ("an IV of 12 bytes", { $0.ivBytes = 12 }), ("an IV of 17 bytes", { $0.ivBytes = 17 }),
            ("signed data", { $0.type = TestEnvelope.OID.signedData }),
            ("an envelope in an envelope", { $0.innerType = TestEnvelope.OID.envelopedData }),
            ("a trailing byte", { $0.tail = [0] }), ("trailing end-of-contents", { $0.tail = [0, 0] }),
            ("content cut off in its last block", { $0.change = { $0.removeLast() } }),
            ("content without its last block", { $0.change = { $0.removeLast(16) } }),
            ("no content", { $0.change = { $0 = [] } }),
        ]
        for (name, change) in wrong { #expect(try open(try sealed(Self.plaintext, change)) == nil, "\(name)") }
        for isIndefinite in [true, false] {
            let good = try sealed { $0.isIndefinite = isIndefinite }
            for count in 0..<good.count { #expect(try open(Array(good[..<count])) == nil, "cut at \(count)") }
        }
    }

    @Test func refusesWhatIsLongerThanAsked() throws {
        #expect(try open(try sealed([])) == nil)
        #expect(try open(try sealed(Array(repeating: 1, count: 33))) == nil)
        #expect(try open(try sealed(Array(repeating: 1, count: 33)), atMost: 33)?.count == 33)
        #expect(try open(try sealed(Array(repeating: 1, count: 4096)), atMost: 4096)?.count == 4096)
    }

    @Test func opensNothingThatWasEncryptedToAnotherKey() throws {
        let other = try #require(RecipientKey())
        let envelope = try TestEnvelope().seal(Self.plaintext, to: other.publicKey)
        for _ in 0..<50 { #expect(try open(envelope) == nil) }
        #expect(other.opened(envelope) == Self.plaintext)
    }

    /// AES-CBC without a MAC: this is why what was opened has to open an AEAD, and why TLS to KMS ends in the enclave.
    @Test func aFlippedBitMayGiveAnotherKeyOfTheRightLength() throws {
        let flipped = try #require(try open(try sealed { $0.change = { $0[15] ^= 1 } }))
        #expect(flipped.count == 32)
        #expect(flipped[16..<31] == Self.plaintext[16..<31])
        #expect(flipped[31] == Self.plaintext[31] ^ 1)
        let envelope = try sealed()
        for index in envelope.indices {
            var flipped = envelope
            flipped[index] ^= 1 << (index % 8)
            #expect(try open(flipped)?.count ?? 0 <= 32)
        }
    }

    @Test func whoeverHasThePublicKeyCanForgeAnAnswer() throws {
        let chosen = [UInt8](repeating: 0x41, count: 32)
        #expect(try open(try sealed(chosen)) == chosen)
    }

    @Test func aKeyIsLentOnceAndTheNextOneIsReady() throws {
        let keys = RecipientKeys(stock: 1)
        let first = try #require(keys.take(until: .now.advanced(bySeconds: 20)))
        keys.make()
        let second = try #require(keys.take(until: .now.advanced(bySeconds: 20)))
        #expect(first.publicKey != second.publicKey)
        keys.giveBack(second)
        #expect(keys.take(until: .now)?.publicKey == second.publicKey)
    }

    private func run(_ command: String, in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(command)")
    }
}
