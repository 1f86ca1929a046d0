import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// The secrets of the configuration, and newer ones of a host: what KMS opens, and which of them counts.
@Suite struct ConfiguredSecretTests {
    private let offers: OfferBench
    private var bench: KMSBench { offers.bench }

    init() throws { offers = try OfferBench() }

    @Test func theSecretsOfTheConfigurationAreOpenedInTheirOwnContext() throws {
        let seed = Base64.encode(Random.bytes(32))
        let name = "TEE_ATTESTATION_SIGNING_PRIVATE_KEY"
        let (service, configuration) = try offers.service([
            "GOOGLE_OAUTH_CLIENT_SECRET":
                "kms:4:\(Base64.encode(offers.encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET", version: 4)))",
            name: "kms:\(Base64.encode(offers.encrypted(seed, name)))",
        ])
        #expect(offers.clientSecret(configuration) == nil)
        offers.allow("ROLE")
        #expect(try service.offer(credentials("JUNK"), session: 1).outcome == .refused)
        #expect(offers.opened.value.withLock { $0 } == 0)
        let answer = try service.offer(credentials("ROLE"), session: 1)
        #expect(answer == KMSCredentialsAnswer(.accepted, clientSecretVersion: 4))
        #expect(offers.clientSecret(configuration) == "google")
        #expect(configuration.signingSeed?.current?.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } == seed)
        #expect(offers.opened.value.withLock { $0 } == 1)
    }

    @Test func aSecretMovedToAnotherVariableOrVersionKeepsTheEnclaveClosed() throws {
        for ciphertext in [
            offers.encrypted("google", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY", version: 4),
            offers.encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET", version: 3),
            offers.encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET"),
        ] {
            let (service, configuration) = try offers.service([
                "GOOGLE_OAUTH_CLIENT_SECRET": "kms:4:\(Base64.encode(ciphertext))"
            ])
            _ = try service.offer(credentials("ROLE"), session: 1)
            #expect(offers.clientSecret(configuration) == nil)
            #expect(offers.opened.value.withLock { $0 } == 0)
        }
    }

    @Test func whatCouldNotBeOpenedAtFirstIsOpenedWithTheNextOffer() throws {
        let (service, configuration) = try offers.service([
            "GOOGLE_OAUTH_CLIENT_SECRET":
                "kms:1:\(Base64.encode(offers.encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET", version: 1)))"
        ])
        bench.kms.state.withLock {
            $0.change = { request, members in
                if request.context["purpose"] == "GOOGLE_OAUTH_CLIENT_SECRET" { members["KeyId"] = "other" }
            }
        }
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(offers.opened.value.withLock { $0 } == 0)
        bench.kms.state.withLock { $0.change = nil }
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(offers.clientSecret(configuration) == "google")
        #expect(offers.opened.value.withLock { $0 } == 1)
    }

    @Test func theHighestClientSecretThatKMSOpenedWins() throws {
        let name = "GOOGLE_OAUTH_CLIENT_SECRET"
        let (service, configuration) = try offers.service([
            name: "kms:4:\(Base64.encode(offers.encrypted("four", name, version: 4)))"
        ])
        @Sendable func offer(_ version: UInt32, _ ciphertext: [UInt8], as account: String = "ROLE") throws -> UInt32? {
            let set = credentials(account)
            return try service.offer(
                KMSCredentials(
                    accessKeyID: set.accessKeyID, secretAccessKey: set.secretAccessKey, sessionToken: set.sessionToken,
                    clientSecret: .init(version: version, ciphertext: ciphertext)), session: 1
            ).clientSecretVersion
        }
        offers.allow("ROLE")
        #expect(try offer(6, offers.encrypted("six", name, version: 6)) == 6)
        #expect(offers.clientSecret(configuration) == "six")
        // An older one, the same one, one whose version is only claimed, and one of another variable.
        let before = bench.requests.count
        #expect(try offer(5, offers.encrypted("five", name, version: 5)) == 6)
        #expect(try offer(6, offers.encrypted("other six", name, version: 6)) == 6)
        #expect(bench.requests.count == before)
        #expect(try offer(9, offers.encrypted("five", name, version: 5)) == 6)
        #expect(try offer(9, offers.encrypted("nine", "KMS_KEY_ID", version: 9)) == 6)
        #expect(try offer(9, offers.encrypted(String(repeating: "x", count: 256), name, version: 9)) == 6)
        #expect(offers.clientSecret(configuration) == "six")
        // One that waits for another is told so, and comes again.
        bench.kms.state.withLock {
            $0.onRequest = { [bench] request in
                guard request.target.hasSuffix("Decrypt") else { return }
                bench.kms.state.withLock { $0.onRequest = nil }
                #expect(throws: EnclaveFailure(.overloaded)) {
                    try offer(8, offers.encrypted("eight", name, version: 8))
                }
            }
        }
        // It does not depend on the set it comes with.
        #expect(try offer(7, offers.encrypted("seven", name, version: 7), as: "JUNK") == 7)
        #expect(offers.clientSecret(configuration) == "seven")
    }

    @Test func aHostCannotGoBelowTheMeasuredVersionOfTheClientSecret() throws {
        let name = "GOOGLE_OAUTH_CLIENT_SECRET"
        let (service, configuration) = try offers.service([
            name: "kms:4:\(Base64.encode(offers.encrypted("four", name, version: 4)))"
        ])
        // The measured one is kept from being opened.
        bench.kms.state.withLock {
            $0.change = { request, members in if request.context["version"] == "4" { members["KeyId"] = "other" } }
        }
        let answer = try service.offer(
            KMSCredentials(
                accessKeyID: "ROLE", secretAccessKey: [0x78],
                clientSecret: .init(version: 3, ciphertext: offers.encrypted("three", name, version: 3))), session: 1)
        #expect(answer == KMSCredentialsAnswer(.accepted, clientSecretVersion: nil))
        #expect(offers.clientSecret(configuration) == nil)
        #expect(offers.opened.value.withLock { $0 } == 0)
    }
}
