import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

/// `kms.credentials`: what hosts hand in, and what becomes of it.
@Suite struct CredentialsTests {
    private let offers: OfferBench
    private var bench: KMSBench { offers.bench }

    init() throws { offers = try OfferBench() }

    @Test func aSetThatKMSAcceptsIsUsedAndOpensTheEnclave() throws {
        let (service, _) = try offers.service()
        offers.allow("ROLE")
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        #expect(offers.accepted == "ROLE")
        #expect(offers.opened.value.withLock { $0 } == 1)
        // Handed in again by every host, it is not put to KMS again.
        let before = bench.requests.count
        for session in 2...9 as ClosedRange<UInt64> {
            #expect(try service.offer(credentials("ROLE"), session: session).outcome == .accepted)
        }
        #expect(bench.requests.count == before)
        #expect(offers.opened.value.withLock { $0 } == 1)
    }

    @Test func junkNeverDisplacesASetThatKMSAccepted() throws {
        let (service, _) = try offers.service()
        offers.allow("ROLE", "NEXT")
        #expect(try service.offer(credentials("ROLE"), session: 1).outcome == .accepted)
        for session in 1...20 as ClosedRange<UInt64> {
            #expect(try service.offer(credentials("JUNK\(session)"), session: session).outcome == .refused)
        }
        #expect(offers.accepted == "ROLE")
        bench.kms.state.withLock { $0.isUnreachable = true }
        for session in 1...5 as ClosedRange<UInt64> {
            #expect(try service.offer(credentials("MORE\(session)"), session: session).outcome == .kept)
        }
        bench.kms.state.withLock { $0.isUnreachable = false }
        #expect(
            bench.client.sets.withLock { $0.inOrder(now: 0).map(\.accessKeyID) } == ["ROLE", "MORE5", "MORE4", "MORE3"])
        _ = try bench.generate()
        #expect(offers.accepted == "ROLE")
        // What KMS accepts takes its place.
        #expect(try service.offer(credentials("NEXT"), session: 3).outcome == .accepted)
        #expect(offers.accepted == "NEXT")
    }

    @Test func aSessionHasOneCandidate() throws {
        let (service, _) = try offers.service()
        bench.kms.state.withLock { $0.isUnreachable = true }
        for name in ["A", "B", "C"] { #expect(try service.offer(credentials(name), session: 7).outcome == .kept) }
        #expect(bench.client.sets.withLock { $0.inOrder(now: 0).map(\.accessKeyID) } == ["C"])
    }

    @Test func onlyThreeSetsAreTriedAtOnceAndOneOfASession() throws {
        let (service, _) = try offers.service()
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
        let (service, _) = try offers.service()
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
        #expect(offers.opened.value.withLock { $0 } == 1)
    }

    @Test func aCandidateTakesOverWhenTheAcceptedSetIsRefused() throws {
        let (service, _) = try offers.service()
        #expect(try service.offer(credentials("OLD"), session: 1).outcome == .accepted)
        bench.kms.state.withLock { $0.isUnreachable = true }
        #expect(try service.offer(credentials("NEW"), session: 2).outcome == .kept)
        #expect(try service.offer(credentials("JUNK"), session: 3).outcome == .kept)
        bench.kms.state.withLock { $0.isUnreachable = false }
        offers.allow("NEW")
        _ = try bench.generate()
        #expect(offers.accepted == "NEW")
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

    @Test func isNoOperationOfALocalKMS() throws {
        let harness = try OperationHarness()
        #expect(
            harness.refusal { () throws(EnclaveFailure) in
                let _: KMSCredentialsAnswer = try harness.run(.kmsCredentials, credentials("ROLE"))
            } == .unknownMethod)
    }
}
