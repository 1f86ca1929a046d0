import FoundationEssentials
import Sodium
import Testing

private struct Refused: Error {}

@Suite struct SecretBytesTests {
    /// Locked memory of this process in KiB, as the kernel counts it.
    private func lockedKiB() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
        return try #require(Int(line.split(separator: " ")[1].filter(\.isNumber)))
    }

    // Large secrets, so that the keys that other tests hold at the same time do not matter.
    private let large = 1024 * 1024

    @Test func locksItsMemoryWhileItLives() throws {
        let before = try lockedKiB()
        let secret = SecretBytes(random: large)
        #expect(try lockedKiB() - before > 900)
        #expect(secret.count == large)
        _ = consume secret
        #expect(try lockedKiB() - before < 100)
    }

    @Test func givesTheMemoryBackWhenFillThrows() throws {
        let before = try lockedKiB()
        for _ in 0..<20 {
            #expect(throws: Refused.self) {
                _ = try SecretBytes(count: large) { memory throws(Refused) in
                    memory[0] = 1
                    throw Refused()
                }
            }
        }
        #expect(try lockedKiB() - before < 100)
    }

    @Test func lendsWhatWasWritten() {
        var secret = secret([1, 2, 3])
        #expect(reveal(secret) == [1, 2, 3])
        secret.withUnsafeMutableBytes { $0[1] = 9 }
        let copy = secret.copy()
        secret.withUnsafeMutableBytes { SecretMemory.wipe($0) }
        #expect(reveal(copy) == [1, 9, 3])
        #expect(reveal(secret) == [0, 0, 0])
        #expect(SecretBytes(random: 0).count == 0)
    }

    @Test func randomSecretsDiffer() {
        let same = equal(SecretBytes(random: 32), SecretBytes(random: 32))
        #expect(!same)
        #expect(Random.bytes(32) != Random.bytes(32))
        #expect(Random.bytes(0).isEmpty)
    }

    @Test func comparesWholeContentAndLength() {
        let bytes = Random.bytes(48)
        let same = equal(secret(bytes), secret(bytes))
        let changed = equal(secret(bytes), secret(bytes.flipped(47)))
        let shorter = equal(secret(bytes), secret(Array(bytes.dropLast())))
        #expect(same && !changed && !shorter)
        #expect(constantTimeEqual(bytes, bytes))
        #expect(constantTimeEqual([], []))
        #expect(!constantTimeEqual(bytes, bytes.flipped(0)))
        #expect(!constantTimeEqual(bytes, []))
    }

    @Test func scratchMemoryIsWipedAfterUse() throws {
        var address: UnsafeRawPointer?
        let sum = SecretMemory.withScratch(64) { scratch in
            scratch.initializeMemory(as: UInt8.self, repeating: 7)
            address = UnsafeRawPointer(scratch.baseAddress)
            return scratch.reduce(0) { $0 + Int($1) }
        }
        #expect(sum == 7 * 64)
        #expect(address != nil)
        #expect(throws: Refused.self) { try SecretMemory.withScratch(8) { _ throws(Refused) in throw Refused() } }
    }
}
