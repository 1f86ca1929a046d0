import Glibc
import Sodium
import Testing

private struct Refused: Error {}

@Suite struct SecretBytesTests {
    /// The whole of a file that has no size beforehand.
    private func contents(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What the kernel says of the mapping that holds `address`: the flags of `/proc/self/smaps`.
    private func flags(of address: UInt) throws -> [Substring] {
        let map = try contents("/proc/self/smaps")
        var inside = false
        for line in map.split(separator: "\n") {
            let words = line.split(separator: " ")
            let ends = words[0].split(separator: "-")
            if ends.count == 2, let start = UInt(ends[0], radix: 16), let end = UInt(ends[1], radix: 16) {
                inside = (start..<end).contains(address)
            } else if inside, words[0] == "VmFlags:" {
                return Array(words.dropFirst())
            }
        }
        return []
    }

    @Test func livesInLockedMemoryBetweenGuardPages() throws {
        let secret = SecretBytes(random: 4096)
        let start = secret.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        let own = try flags(of: start)
        #expect(own.contains("lo") && own.contains("dd"), "not locked: \(own)")
        for guardPage in [start - 4096 * 2, start + 4096] {
            let flags = try flags(of: guardPage)
            #expect(!flags.contains("rd") && !flags.contains("wr"))
        }
        #expect(secret.count == 4096)
    }

    @Test func givesTheMemoryBackWhenFillThrows() throws {
        // A size that nothing else in this process has, so that its mappings can be counted.
        let pages = 37 * 256
        func mappings() throws -> Int {
            try contents("/proc/self/smaps").split(separator: "\n").count { line in
                guard line.hasPrefix("Size:"), let kiB = Int(line.filter(\.isNumber)) else { return false }
                return (pages...pages + 2).contains(kiB / 4)
            }
        }
        for _ in 0..<3 {
            var during = 0
            #expect(throws: Refused.self) {
                _ = try SecretBytes(count: pages * 4096) { memory throws(Refused) in
                    memory[0] = 1
                    during = (try? mappings()) ?? 0
                    throw Refused()
                }
            }
            #expect(during == 1)
            #expect(try mappings() == 0)
        }
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
