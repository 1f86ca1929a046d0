import EnclaveProtocol
import FoundationEssentials
import Synchronization
import Testing

@testable import EnclaveVault
@testable import Sodium

@Suite struct DataRecordTests {
    private let bench = Bench()

    private func seal(
        _ plaintext: [UInt8], _ purpose: DataPurpose = .jobPayload, user: UserID? = nil, recordID: String = "job",
        version: UInt64 = 0
    ) throws -> [UInt8] {
        try bench.vault.sealData(
            purpose: purpose, user: user ?? bench.user, recordID: recordID, recordVersion: version,
            plaintext: plaintext, port: bench.host)
    }

    private func open(
        _ sealed: [UInt8], _ purpose: DataPurpose = .jobPayload, user: UserID? = nil, recordID: String = "job",
        version: UInt64 = 0
    ) throws -> [UInt8] {
        try bench.vault.openData(
            purpose: purpose, user: user ?? bench.user, recordID: recordID, recordVersion: version, sealed: sealed,
            port: bench.host)
    }

    @Test func opensWhatItSealed() throws {
        for count in [0, 1, 1023, 1024, 1025, 100_000, Limits.maximumSealBytes] {
            let plaintext = Random.bytes(count)
            let sealed = try seal(plaintext)
            #expect(sealed.count == count + 101)
            #expect(try open(sealed) == plaintext)
        }
    }

    @Test func refusesAnotherPurposeUserRowOrVersion() throws {
        let sealed = try seal([1, 2, 3])
        #expect(throws: VaultError.sealedDataRejected) { try open(sealed, .pushPayload) }
        #expect(throws: VaultError.sealedDataRejected) { try open(sealed, user: UserID(UUID())) }
        #expect(throws: VaultError.sealedDataRejected) { try open(sealed, recordID: "other") }
        #expect(throws: VaultError.sealedDataRejected) { try open(sealed, version: 1) }
        #expect(try open(sealed) == [1, 2, 3])
    }

    @Test func refusesEveryFlippedByte() throws {
        let sealed = try seal([1, 2, 3])
        for index in sealed.indices {
            let expected: VaultError = (1..<21).contains(index) ? .keyPolicyMismatch : .sealedDataRejected
            #expect(throws: expected, "byte \(index)") { try open(sealed.flipped(index)) }
        }
    }

    @Test(arguments: [DataPurpose.connectorRefreshToken, .oauthPKCEVerifier])
    func neverSealsOrOpensWhatBelongsToTheEnclave(_ purpose: DataPurpose) throws {
        #expect(throws: VaultError.sealedDataRejected) { try seal([1], purpose) }
        // A connector's very record, offered as data with the right ids and version.
        let record = try bench.put("token", version: 1)
        #expect(throws: VaultError.sealedDataRejected) {
            try open(record.sealed, purpose, recordID: bench.connector.uuid.lowercased, version: 1)
        }
    }

    @Test func refusesMoreThanTheProtocolCarries() throws {
        #expect(throws: VaultError.sealedDataRejected) {
            try seal([UInt8](repeating: 0, count: Limits.maximumSealBytes + 1))
        }
        #expect(throws: VaultError.sealedDataRejected) {
            try open([UInt8](repeating: 1, count: Limits.maximumSealBytes + 200))
        }
    }

    @Test func takesNoLockedMemoryPerCall() throws {
        let sealed = try seal([1, 2, 3])
        try bench.put("token", version: 1)
        // Other tests make secrets at the same time; a call that made one would show in every round.
        var fewest = UInt64.max
        for _ in 0..<50 where fewest > 0 {
            let before = SecretBytes.made.load(ordering: .relaxed)
            for _ in 0..<100 {
                _ = try seal([1, 2, 3])
                _ = try open(sealed)
                _ = try bench.vault.check(user: bench.user, connector: bench.connector, port: bench.host)
            }
            fewest = min(fewest, SecretBytes.made.load(ordering: .relaxed) - before)
        }
        #expect(fewest < 100)
    }
}

@Suite struct VerifierTests {
    private let bench = Bench()
    private let state = OAuthStateID(UUID())
    private let stateHash = Hash.sha256(Array("state".utf8))

    private func sealed(_ verifier: [UInt8]) throws -> [UInt8] {
        try bench.vault.sealVerifier(
            SecretBytes(copying: verifier), issuedAt: 1_764_057_600, stateHash: stateHash, user: bench.user,
            state: state, port: bench.host)
    }

    @Test func opensForItsUserAndState() throws {
        let verifier = Array("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".utf8)
        let opened = try bench.vault.openVerifier(
            try sealed(verifier), user: bench.user, state: state, port: bench.host)
        #expect(opened.verifier.withUnsafeBytes { Array($0) } == verifier)
        #expect(opened.issuedAt == 1_764_057_600)
        #expect(opened.stateHash == stateHash)
    }

    @Test func refusesAnotherUserOrState() throws {
        let sealed = try sealed([1, 2, 3])
        #expect(throws: VaultError.sealedDataRejected) {
            _ = try bench.vault.openVerifier(sealed, user: UserID(UUID()), state: state, port: bench.host).issuedAt
        }
        #expect(throws: VaultError.sealedDataRejected) {
            _ = try bench.vault.openVerifier(
                sealed, user: bench.user, state: OAuthStateID(UUID()), port: bench.host
            ).issuedAt
        }
    }

    @Test func refusesLengthsThatNoVerifierHas() throws {
        #expect(throws: VaultError.sealedDataRejected) { try sealed([]) }
        #expect(throws: VaultError.sealedDataRejected) { try sealed([UInt8](repeating: 1, count: 129)) }
        #expect(throws: VaultError.sealedDataRejected) {
            _ = try bench.vault.openVerifier(
                [UInt8](repeating: 1, count: 500), user: bench.user, state: state, port: bench.host
            ).issuedAt
        }
    }
}

@Suite struct VaultErrorTests {
    @Test func everyCaseHasItsOwnNumber() {
        #expect(Set(VaultError.allCases.map(\.code)).count == VaultError.allCases.count)
    }
}
