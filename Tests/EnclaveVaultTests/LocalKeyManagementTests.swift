import EnclaveDevShim
import EnclaveProtocol
import FoundationEssentials
import Glibc
import Sodium
import Testing

@testable import EnclaveVault

/// The local stand-in for KMS keeps the rules of the real one.
@Suite final class LocalKeyManagementTests {
    private let path = "/tmp/alfred-kms-\(UUID().uuidString).key"

    deinit { unlink(path) }

    private func write(_ text: String, mode: mode_t = 0o600) throws {
        unlink(path)
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
        #expect(chmod(path, mode) == 0)
    }

    private func open(
        measurement: String = "dev-local-enclave", allowed: Set<String> = ["dev-local-enclave"]
    ) throws(LocalKeyManagementError) -> LocalKeyManagement {
        try LocalKeyManagement(keyFile: path, measurement: measurement, allowedMeasurements: allowed)
    }

    private func reveal(
        _ kms: LocalKeyManagement, _ wrapped: [UInt8], keyID: String = keyID, version: UInt32 = 1
    ) throws(VaultError) -> [UInt8] {
        try kms.unwrap(wrapped, keyID: keyID, version: version).withUnsafeBytes { Array($0) }
    }

    private func generate(_ kms: LocalKeyManagement) throws(VaultError) -> (plaintext: [UInt8], wrapped: [UInt8]) {
        let key = try kms.generateDataKey(keyID: keyID, version: 1)
        return (key.plaintext.withUnsafeBytes { Array($0) }, key.wrapped)
    }

    @Test func opensWhatItWrappedAfterARestart() throws {
        try write(Base64.encode(Random.bytes(32)) + "\n")
        let (plaintext, wrapped) = try generate(try open())
        #expect(plaintext.count == 32)
        #expect(try reveal(try open(), wrapped) == plaintext)
        #expect(try generate(try open()).plaintext != plaintext)
    }

    @Test func opensADataKeyOnlyForItsIDAndVersion() throws {
        try write(Base64.encode(Random.bytes(32)))
        let kms = try open()
        let wrapped = try generate(kms).wrapped
        #expect(throws: VaultError.keyStoreFailed) { try self.reveal(kms, wrapped, version: 2) }
        #expect(throws: VaultError.keyStoreFailed) { try self.reveal(kms, wrapped, keyID: "kms/local/other") }
        #expect(throws: VaultError.keyPolicyMismatch) { try self.reveal(kms, wrapped, keyID: "arn:aws:kms:x") }
        #expect(throws: VaultError.keyPolicyMismatch) {
            _ = try kms.generateDataKey(keyID: "arn:aws:kms:x", version: 1).wrapped
        }
        for index in wrapped.indices {
            #expect(throws: VaultError.keyStoreFailed) { try self.reveal(kms, wrapped.flipped(index)) }
        }
        for count in 0..<wrapped.count {
            #expect(throws: VaultError.keyStoreFailed) { try self.reveal(kms, Array(wrapped[..<count])) }
        }
        try write(Base64.encode(Random.bytes(32)))
        let other = try open()
        #expect(throws: VaultError.keyStoreFailed) { try self.reveal(other, wrapped) }
    }

    @Test func servesAllowedMeasurementsOnly() throws {
        try write(Base64.encode(Random.bytes(32)))
        for allowed: Set<String> in [[], ["other"], ["dev-local"], ["DEV-LOCAL-ENCLAVE"]] {
            #expect(throws: LocalKeyManagementError.measurementNotAllowed) { try self.open(allowed: allowed) }
        }
        _ = try open(allowed: ["other", "dev-local-enclave"])
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o660, 0o700, 0o601, 0o666] as [mode_t])
    func refusesAFileThatOthersMayRead(_ mode: mode_t) throws {
        try write(Base64.encode(Random.bytes(32)), mode: mode)
        #expect(throws: LocalKeyManagementError.insecureFile) { try self.open() }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a file away"))
    func refusesAFileOfAnotherUser() throws {
        try write(Base64.encode(Random.bytes(32)))
        #expect(chown(path, 65_534, 65_534) == 0)
        #expect(throws: LocalKeyManagementError.insecureFile) { try self.open() }
    }

    @Test func refusesWhatIsNotAFile() throws {
        #expect(throws: LocalKeyManagementError.unreadable) { try self.open() }
        #expect(mkdir(path, 0o700) == 0)
        defer { rmdir(path) }
        #expect(throws: LocalKeyManagementError.unreadable) { try self.open() }
    }

    @Test func refusesAKeyThatIsNotBase64Of32Bytes() throws {
        let good = Base64.encode(Random.bytes(32))
        let bad = [
            "", "\n", Base64.encode(Random.bytes(31)), Base64.encode(Random.bytes(33)), good + "\n\n", " " + good,
            good + " ", String(good.dropLast()), good + good, String(repeating: "A", count: 100_000),
            Hex.encode(Random.bytes(32)),
        ]
        for text in bad {
            try write(text)
            #expect(throws: LocalKeyManagementError.malformed) { try self.open() }
        }
        try write(good, mode: 0o400)
        _ = try open()
    }

    @Test func carriesAVaultThroughARestart() throws {
        try write(Base64.encode(Random.bytes(32)))
        let host = TestHost()
        let user = UserID(UUID())
        func data(_ vault: TokenVault, open sealed: [UInt8]) throws(VaultError) -> [UInt8] {
            try vault.openData(
                purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, sealed: sealed, port: host)
        }
        let sealed = try TokenVault(policy: policy(), kms: try open()).sealData(
            purpose: .jobPayload, user: user, recordID: "job", recordVersion: 0, plaintext: [4, 2], port: host)
        #expect(try data(TokenVault(policy: policy(), kms: try open()), open: sealed) == [4, 2])
        try write(Base64.encode(Random.bytes(32)))
        let stranger = TokenVault(policy: policy(), kms: try open())
        #expect(throws: VaultError.keyStoreFailed) { try data(stranger, open: sealed) }
    }
}
