import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// `kms.credentials`: what hosts hand in, and what becomes of it.
@Suite struct CredentialsTests {
    private let bench: KMSBench
    private let opened = Mutex2(0)

    init() throws { bench = try KMSBench(accepts: nil) }

    private func service(_ overrides: [String: String] = [:]) throws -> (AWSKeyService, EnclaveConfiguration) {
        let configuration = try EnclaveConfiguration(
            testVariables(
                ["ENCLAVE_RUNTIME_MODE": "remote", "ALFRED_ENV": "local", "KMS_KEY_ID": keyARN].merging(overrides) {
                    $1
                }
            ), for: .remote)
        let service = AWSKeyService(configuration, kms: bench.client)
        let opened = self.opened
        service.begin { opened.value.withLock { $0 += 1 } }
        return (service, configuration)
    }

    private var accepted: String? { bench.client.sets.withLock { $0.accepted?.accessKeyID } }

    private func allow(_ names: String...) { bench.kms.state.withLock { $0.allowed = Set(names) } }

    private func encrypted(_ text: String, _ name: String, version: UInt32? = nil) -> [UInt8] {
        var context = ["purpose": name]
        if let version { context["version"] = String(version) }
        return bench.kms.encrypt(Array(text.utf8), context)
    }

    private func clientSecret(_ configuration: EnclaveConfiguration) -> String? {
        configuration.google.clientSecret.current.map { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }

    @Test func aSetThatKMSAcceptsIsUsedAndOpensTheEnclave() throws {
        let (service, _) = try service()
        allow("ROLE")
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(accepted == "ROLE")
        #expect(opened.value.withLock { $0 } == 1)
        // Handed in again by every host, it is not put to KMS again.
        let before = bench.requests.count
        for session in 2...9 as ClosedRange<UInt64> {
            #expect(try service.offer(credentials("ROLE"), session: session).outcome == .accepted)
        }
        #expect(bench.requests.count == before)
        #expect(opened.value.withLock { $0 } == 1)
    }

    @Test func junkNeverDisplacesASetThatKMSAccepted() throws {
        let (service, _) = try service()
        allow("ROLE", "NEXT")
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        for session in 1...20 as ClosedRange<UInt64> {
            #expect(try service.offer(credentials("JUNK\(session)"), session: session).outcome == .refused)
        }
        #expect(accepted == "ROLE")
        bench.kms.state.withLock { $0.isUnreachable = true }
        for session in 1...5 as ClosedRange<UInt64> {
            #expect(try service.offer(credentials("MORE\(session)"), session: session).outcome == .kept)
        }
        bench.kms.state.withLock { $0.isUnreachable = false }
        #expect(
            bench.client.sets.withLock { $0.inOrder(now: 0).map(\.accessKeyID) } == ["ROLE", "MORE5", "MORE4", "MORE3"])
        _ = try bench.generate()
        #expect(accepted == "ROLE")
        // What KMS accepts takes its place.
        #expect(try service.offer(credentials("NEXT"), session: 3).outcome == .accepted)
        #expect(accepted == "NEXT")
    }

    @Test func aSessionHasOneCandidate() throws {
        let (service, _) = try service()
        bench.kms.state.withLock { $0.isUnreachable = true }
        for name in ["A", "B", "C"] { #expect(try service.offer(credentials(name), session: 7).outcome == .kept) }
        #expect(bench.client.sets.withLock { $0.inOrder(now: 0).map(\.accessKeyID) } == ["C"])
    }

    @Test func onlyThreeSetsAreTriedAtOnceAndOneOfASession() throws {
        let (service, _) = try service()
        let inner = Mutex<[String]>([])
        let depth = Mutex<UInt64>(0)
        bench.kms.state.withLock {
            $0.onRequest = { _ in
                let session = depth.withLock { depth in
                    depth += 1
                    return depth
                }
                for attempt in session == 1 ? [session, session + 1] : [session + 1] {
                    do throws(EnclaveFailure) {
                        let answer = try service.offer(credentials("S\(session)\(attempt)"), session: attempt)
                        inner.withLock { $0.append("\(answer.outcome)") }
                    } catch {
                        inner.withLock { $0.append(error.code.name) }
                    }
                }
            }
        }
        #expect(try service.offer(credentials("S1"), session: 1).outcome == .accepted)
        #expect(inner.withLock { $0 } == ["overloaded", "overloaded", "accepted", "accepted"])
    }

    @Test func theSameSetOfManyHostsIsPutToKMSOnce() throws {
        let (service, _) = try service()
        let others = Mutex<[KMSCredentialsAnswer.Outcome]>([])
        bench.kms.state.withLock {
            $0.onRequest = { _ in
                for session in 1...9 as ClosedRange<UInt64> {
                    if let answer = try? service.offer(credentials("ROLE"), session: session) {
                        others.withLock { $0.append(answer.outcome) }
                    }
                }
            }
        }
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(others.withLock { $0 } == Array(repeating: .kept, count: 9))
        #expect(bench.requests.count == 1)
        #expect(opened.value.withLock { $0 } == 1)
    }

    @Test func aCandidateTakesOverWhenTheAcceptedSetIsRefused() throws {
        let (service, _) = try service()
        #expect(try service.offer(credentials("OLD"), session: 1).outcome == .accepted)
        bench.kms.state.withLock { $0.isUnreachable = true }
        #expect(try service.offer(credentials("NEW"), session: 2).outcome == .kept)
        #expect(try service.offer(credentials("JUNK"), session: 3).outcome == .kept)
        bench.kms.state.withLock { $0.isUnreachable = false }
        allow("NEW")
        _ = try bench.generate()
        #expect(accepted == "NEW")
        #expect(bench.client.sets.withLock { $0.inOrder(now: 0).map(\.accessKeyID) } == ["NEW"])
    }

    @Test func anExpiredSetIsTriedLast() throws {
        let sets = Mutex(CredentialSets())
        sets.withLock { sets in
            sets.accept(AWSCredentials(credentials("OLD", expiresAt: 100)))
            let next = AWSCredentials(credentials("NEXT", expiresAt: 500))
            let reception = sets.receive(next, session: 1)
            #expect(reception == .toBeTried)
            #expect(sets.inOrder(now: 50).map(\.accessKeyID) == ["OLD"])
            sets.keep(next)
            #expect(sets.inOrder(now: 99).map(\.accessKeyID) == ["OLD", "NEXT"])
            #expect(sets.inOrder(now: 100).map(\.accessKeyID) == ["NEXT", "OLD"])
        }
    }

    @Test func whatDiffersInOneSecretIsAnotherSet() {
        let one = AWSCredentials(credentials("ROLE"))
        #expect(one.isSame(as: AWSCredentials(credentials("ROLE", expiresAt: 5))))
        #expect(!one.isSame(as: AWSCredentials(credentials("ROLE", secret: "other"))))
        #expect(
            !one.isSame(as: AWSCredentials(KMSCredentials(accessKeyID: "ROLE", secretAccessKey: Array("secret".utf8)))))
    }

    @Test func theSecretsOfTheConfigurationAreOpenedInTheirOwnContext() throws {
        let seed = Base64.encode(Random.bytes(32))
        let name = "TEE_ATTESTATION_SIGNING_PRIVATE_KEY"
        let (service, configuration) = try service([
            "GOOGLE_OAUTH_CLIENT_SECRET":
                "kms:4:\(Base64.encode(encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET", version: 4)))",
            name: "kms:\(Base64.encode(encrypted(seed, name)))",
        ])
        #expect(clientSecret(configuration) == nil)
        allow("ROLE")
        #expect(try service.offer(credentials("JUNK"), session: 1).outcome == .refused)
        #expect(opened.value.withLock { $0 } == 0)
        let answer = try service.offer(credentials("ROLE"), session: 1)
        #expect(answer == KMSCredentialsAnswer(.accepted, clientSecretVersion: 4))
        #expect(clientSecret(configuration) == "google")
        #expect(configuration.signingSeed?.current?.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } == seed)
        #expect(opened.value.withLock { $0 } == 1)
    }

    @Test func aSecretMovedToAnotherVariableOrVersionKeepsTheEnclaveClosed() throws {
        for ciphertext in [
            encrypted("google", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY", version: 4),
            encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET", version: 3),
            encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET"),
        ] {
            let (service, configuration) = try service([
                "GOOGLE_OAUTH_CLIENT_SECRET": "kms:4:\(Base64.encode(ciphertext))"
            ])
            _ = try service.offer(credentials("ROLE"), session: 1)
            #expect(clientSecret(configuration) == nil)
            #expect(opened.value.withLock { $0 } == 0)
        }
    }

    @Test func whatCouldNotBeOpenedAtFirstIsOpenedWithTheNextOffer() throws {
        let (service, configuration) = try service([
            "GOOGLE_OAUTH_CLIENT_SECRET":
                "kms:1:\(Base64.encode(encrypted("google", "GOOGLE_OAUTH_CLIENT_SECRET", version: 1)))"
        ])
        bench.kms.state.withLock {
            $0.change = { request, members in
                if request.context["purpose"] == "GOOGLE_OAUTH_CLIENT_SECRET" { members["KeyId"] = "other" }
            }
        }
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(opened.value.withLock { $0 } == 0)
        bench.kms.state.withLock { $0.change = nil }
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(clientSecret(configuration) == "google")
        #expect(opened.value.withLock { $0 } == 1)
    }

    @Test func theHighestClientSecretThatKMSOpenedWins() throws {
        let name = "GOOGLE_OAUTH_CLIENT_SECRET"
        let (service, configuration) = try service([
            name: "kms:4:\(Base64.encode(encrypted("four", name, version: 4)))"
        ])
        @Sendable func offer(_ version: UInt32, _ ciphertext: [UInt8], as account: String = "ROLE") throws -> UInt32? {
            let set = credentials(account)
            return try service.offer(
                KMSCredentials(
                    accessKeyID: set.accessKeyID, secretAccessKey: set.secretAccessKey, sessionToken: set.sessionToken,
                    clientSecret: .init(version: version, ciphertext: ciphertext)), session: 1
            ).clientSecretVersion
        }
        allow("ROLE")
        #expect(try offer(6, encrypted("six", name, version: 6)) == 6)
        #expect(clientSecret(configuration) == "six")
        // An older one, the same one, one whose version is only claimed, and one of another variable.
        let before = bench.requests.count
        #expect(try offer(5, encrypted("five", name, version: 5)) == 6)
        #expect(try offer(6, encrypted("other six", name, version: 6)) == 6)
        #expect(bench.requests.count == before)
        #expect(try offer(9, encrypted("five", name, version: 5)) == 6)
        #expect(try offer(9, encrypted("nine", "KMS_KEY_ID", version: 9)) == 6)
        #expect(try offer(9, encrypted(String(repeating: "x", count: 256), name, version: 9)) == 6)
        #expect(clientSecret(configuration) == "six")
        // One that waits for another is told so, and comes again.
        bench.kms.state.withLock {
            $0.onRequest = { [bench] request in
                guard request.target.hasSuffix("Decrypt") else { return }
                bench.kms.state.withLock { $0.onRequest = nil }
                #expect(throws: EnclaveFailure(.overloaded)) { try offer(8, encrypted("eight", name, version: 8)) }
            }
        }
        // It does not depend on the set it comes with.
        #expect(try offer(7, encrypted("seven", name, version: 7), as: "JUNK") == 7)
        #expect(clientSecret(configuration) == "seven")
    }

    @Test func aHostCannotGoBelowTheMeasuredVersionOfTheClientSecret() throws {
        let name = "GOOGLE_OAUTH_CLIENT_SECRET"
        let (service, configuration) = try service([
            name: "kms:4:\(Base64.encode(encrypted("four", name, version: 4)))"
        ])
        // The measured one is kept from being opened.
        bench.kms.state.withLock {
            $0.change = { request, members in if request.context["version"] == "4" { members["KeyId"] = "other" } }
        }
        let answer = try service.offer(
            KMSCredentials(
                accessKeyID: "ROLE", secretAccessKey: [0x78],
                clientSecret: .init(version: 3, ciphertext: encrypted("three", name, version: 3))), session: 1)
        #expect(answer == KMSCredentialsAnswer(.accepted, clientSecretVersion: nil))
        #expect(clientSecret(configuration) == nil)
        #expect(opened.value.withLock { $0 } == 0)
    }

    @Test func isNoOperationOfALocalKMS() throws {
        let harness = try OperationHarness()
        #expect(
            harness.refusal { () throws(EnclaveFailure) in
                let _: KMSCredentialsAnswer = try harness.run(.kmsCredentials, credentials("ROLE"))
            } == .unknownMethod)
    }
}
