import EnclaveProtocol
import FoundationEssentials
import Testing

@testable import EnclaveVault

@Suite struct VersionMemoryTests {
    private func digest(_ value: UInt64) -> VersionMemory.Digest {
        VersionMemory.Digest(first: value &* 0x9E37_79B9_7F4A_7C15, second: value)
    }

    @Test func anEntryHas48Bytes() {
        #expect(MemoryLayout<VersionMemory.Entry>.stride == 48)
        #expect(VersionMemory.defaultLimit == 1_000_000)
    }

    @Test func neverGoesBack() {
        var memory = VersionMemory(limit: 10)
        #expect(memory.seen(digest(1)) == nil)
        memory.remember(digest(1), version: 5, content: digest(50))
        memory.remember(digest(1), version: 4, content: digest(40))
        memory.remember(digest(1), version: 5, content: digest(51))
        #expect(memory.seen(digest(1)) == .init(version: 5, content: digest(50)))
        memory.remember(digest(1), version: 6, content: digest(60))
        #expect(memory.seen(digest(1)) == .init(version: 6, content: digest(60)))
        #expect(memory.count == 1)
    }

    @Test func dropsWhatWasNotUsedForLongestAndCountsIt() {
        var memory = VersionMemory(limit: 3)
        for value in 1...3 { memory.remember(digest(UInt64(value)), version: 1, content: digest(0)) }
        memory.remember(digest(1), version: 1, content: digest(0))
        memory.remember(digest(4), version: 1, content: digest(0))
        #expect(memory.seen(digest(2)) == nil)
        #expect(memory.seen(digest(1)) != nil && memory.seen(digest(3)) != nil && memory.seen(digest(4)) != nil)
        #expect(memory.count == 3)
        #expect(memory.evictions == 1)
    }

    @Test func agreesWithADictionaryOverManyChanges() {
        var generator = SystemRandomNumberGenerator()
        // Few homes, so that entries push each other around in the index.
        func crowded(_ value: UInt64) -> VersionMemory.Digest { .init(first: value % 7, second: value) }
        let limit = 200
        var memory = VersionMemory(limit: limit)
        var model: [UInt64: UInt64] = [:]
        var order: [UInt64] = []
        for _ in 0..<20_000 {
            let value = UInt64.random(in: 0..<600, using: &generator)
            let version = UInt64.random(in: 1...1000, using: &generator)
            memory.remember(crowded(value), version: version, content: digest(version))
            if model[value] == nil, model.count == limit { model[order.removeFirst()] = nil }
            model[value] = max(model[value] ?? 0, version)
            order.removeAll { $0 == value }
            order.append(value)
        }
        for value in 0..<UInt64(600) {
            #expect(memory.seen(crowded(value))?.version == model[value])
        }
        #expect(memory.count == limit)
    }

    @Test func staysWithinItsBound() {
        var memory = VersionMemory(limit: 5_000)
        for value in 0..<UInt64(20_000) { memory.remember(digest(value), version: 1, content: digest(1)) }
        #expect(memory.count == 5_000)
        #expect(memory.evictions == 15_000)
        #expect(memory.seen(digest(19_999)) != nil)
        #expect(memory.seen(digest(14_999)) == nil)
    }

    @Test func aFullVaultForgetsTheOldestConnectorOnly() throws {
        let bench = Bench(memoryLimit: 2)
        try bench.put("old", version: 1)
        let record = try bench.put("new", version: 2)
        for _ in 0..<2 {
            bench.vault.acknowledged(record, user: UserID(UUID()), connector: ConnectorID(UUID()))
        }
        #expect(bench.vault.statistics.evictedConnectors == 1)
        #expect(bench.vault.statistics.rememberedConnectors == 2)
        bench.store(nil)
        #expect(throws: VaultError.recordMissing) { try bench.token() }
    }
}
