import Dispatch
import EnclaveProtocol
import FoundationEssentials
import Glibc
import Sodium
import Synchronization
import Testing

@testable import EnclaveVault

@Suite struct DataKeyTests {
    @Test func isMadeOnFirstUseAndUnwrappedByTheNextEnclave() throws {
        let bench = Bench()
        try bench.put("token", version: 1)
        #expect(bench.kms.calls.withLock { $0.generated } == 1)
        let next = TokenVault(policy: policy(), kms: bench.kms)
        #expect(next.statistics.loadedKeyVersions == [])
        #expect(try bench.token(next) == "token")
        #expect(next.statistics.loadedKeyVersions == [1])
        #expect(bench.kms.calls.withLock { $0.generated } == 1)
        #expect(bench.kms.calls.withLock { $0.unwrapped } == 1)
    }

    @Test func manyThreadsAtOnceMakeOneKey() throws {
        let bench = Bench()
        let threads = 8
        let started = Atomic<Int>(0)
        // The key comes only when all have asked for it; a moment more lets the others reach the gate.
        bench.kms.calls.withLock {
            $0.onGenerate = {
                let deadline = ContinuousClock.now + .seconds(10)
                while started.load(ordering: .acquiring) < threads, ContinuousClock.now < deadline { sched_yield() }
                usleep(20_000)
            }
        }
        let sealed = Mutex<[[UInt8]]>([])
        let group = DispatchGroup()
        for index in 0..<threads {
            DispatchQueue(label: "caller \(index)").async(group: group) {
                started.add(1, ordering: .releasing)
                let value = try? bench.vault.sealData(
                    purpose: .jobPayload, user: bench.user, recordID: "job", recordVersion: 0,
                    plaintext: [UInt8(index)], port: bench.host)
                sealed.withLock { $0.append(value ?? []) }
            }
        }
        #expect(group.wait(timeout: .now() + 30) == .success)
        #expect(started.load(ordering: .relaxed) == threads)
        #expect(bench.kms.calls.withLock { $0.generated } == 1)
        #expect(bench.kms.calls.withLock { $0.unwrapped } == 0)
        #expect(bench.host.state.withLock { $0.keyPuts } == 1)
        let next = TokenVault(policy: policy(), kms: bench.kms)
        let opened = try sealed.withLock { $0 }.flatMap {
            try next.openData(
                purpose: .jobPayload, user: bench.user, recordID: "job", recordVersion: 0, sealed: $0,
                port: bench.host)
        }
        #expect(opened.sorted() == Array(0..<UInt8(threads)))
        #expect(bench.kms.calls.withLock { $0.unwrapped } == 1)
    }

    @Test func whoWaitsForALoadThatFailsFailsWithIt() throws {
        let bench = Bench()
        bench.kms.calls.withLock {
            $0.failing = true
            $0.onGenerate = { usleep(20_000) }
        }
        let errors = Mutex<[VaultError]>([])
        let group = DispatchGroup()
        for index in 0..<32 {
            DispatchQueue(label: "caller \(index)").async(group: group) {
                do throws(VaultError) {
                    try bench.vault.warmUp(port: bench.host)
                } catch {
                    errors.withLock { $0.append(error) }
                }
            }
        }
        #expect(group.wait(timeout: .now() + 30) == .success)
        #expect(errors.withLock { $0 } == [VaultError](repeating: .keyStoreFailed, count: 32))
        // A queue that tried one after the other would have asked 32 times.
        #expect(bench.kms.calls.withLock { $0.generated } < 16)
    }

    @Test func theLoserOfARaceUsesTheWinnersKey() throws {
        let winner = Bench()
        let loser = Bench(kms: winner.kms, host: winner.host)
        // While the loser's key is being made, the winner stores its own.
        winner.kms.calls.withLock {
            $0.onGenerate = {
                winner.kms.calls.withLock { $0.onGenerate = nil }
                _ = try? winner.put("winner", version: 1)
            }
        }
        try loser.put("loser", version: 1)
        #expect(winner.kms.calls.withLock { $0.generated } == 2)
        let third = TokenVault(policy: policy(), kms: winner.kms)
        #expect(try winner.token(third) == "winner")
        #expect(try loser.token(third) == "loser")
    }

    @Test func aFailureIsNotRemembered() throws {
        let bench = Bench()
        bench.kms.calls.withLock { $0.failing = true }
        #expect(throws: VaultError.keyStoreFailed) { try bench.put("token", version: 1) }
        bench.kms.calls.withLock { $0.failing = false }
        bench.host.state.withLock { $0.failing = true }
        #expect(throws: VaultError.recordPortFailed) { try bench.put("token", version: 1) }
        bench.host.state.withLock { $0.failing = false }
        try bench.put("token", version: 1)
        #expect(try bench.token() == "token")
    }

    @Test func refusesAWrappedKeyOfAnotherProviderIDOrVersion() throws {
        let bench = Bench()
        try bench.put("token", version: 1)
        let good = try #require(bench.host.state.withLock { $0.keys[1] })
        func outcome(_ key: WrappedKey) -> VaultError? {
            bench.host.state.withLock { $0.keys[1] = key }
            do throws(VaultError) {
                try TokenVault(policy: policy(), kms: bench.kms).warmUp(port: bench.host)
                return nil
            } catch { return error }
        }
        #expect(outcome(good) == nil)
        #expect(outcome(WrappedKey(provider: "aws", wrapped: good.wrapped, lineageMAC: nil)) == .keyPolicyMismatch)
        for (id, version) in [("kms/local/other", UInt32(1)), (keyID, 2)] {
            let wrapped = bench.kms.wrap(Random.bytes(32), keyID: id, version: version)
            #expect(outcome(WrappedKey(provider: "local", wrapped: wrapped, lineageMAC: nil)) == .keyStoreFailed)
        }
        let short = bench.kms.wrap(Random.bytes(16), keyID: keyID, version: 1)
        #expect(outcome(WrappedKey(provider: "local", wrapped: short, lineageMAC: nil)) == .keyStoreFailed)
    }

    @Test func onlyTheActiveVersionIsEverMade() throws {
        let bench = Bench(policy: policy(1, [2]))
        let sealed = try bench.vault.sealData(
            purpose: .jobPayload, user: bench.user, recordID: "job", recordVersion: 0, plaintext: [1],
            port: bench.host)
        var other = sealed
        other[20] = 2
        #expect(throws: VaultError.keyStoreFailed) {
            try bench.vault.openData(
                purpose: .jobPayload, user: bench.user, recordID: "job", recordVersion: 0, sealed: other,
                port: bench.host)
        }
        #expect(bench.host.state.withLock { $0.keys.keys.sorted() } == [1])
    }

    @Test func policiesThatMakeNoSenseCannotBeWrittenDown() {
        #expect(KeyPolicy(keyID: "", activeVersion: 1) == nil)
        #expect(KeyPolicy(keyID: String(repeating: "k", count: 257), activeVersion: 1) == nil)
        #expect(KeyPolicy(keyID: "k", activeVersion: 0) == nil)
        #expect(KeyPolicy(keyID: "k", activeVersion: 0x8000_0000) == nil)
        #expect(KeyPolicy(keyID: "k", activeVersion: 1, decryptVersions: [1]) == nil)
        #expect(KeyPolicy(keyID: "k", activeVersion: 1, decryptVersions: [2, 2]) == nil)
        #expect(KeyPolicy(keyID: "k", activeVersion: 1, decryptVersions: Array(2...10)) == nil)
        #expect(KeyPolicy(keyID: "k", activeVersion: 1, decryptVersions: Array(2...9)) != nil)
    }
}
