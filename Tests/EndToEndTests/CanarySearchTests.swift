import Foundation
import Glibc
import LocalStack
import Testing

/// The search finds every form that it is said to know, and nothing where nothing is.
@Suite struct CanarySearchTests {
    static let secret: [UInt8] = (0..<40).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 201) }

    static let forms: [(String, [UInt8])] = {
        func text(_ format: String) -> [UInt8] { Array(secret.map { String(format: format, $0) }.joined().utf8) }
        var forms: [(String, [UInt8])] = [
            ("raw", secret), ("first 16 bytes", Array(secret.prefix(16))), ("last 16 bytes", Array(secret.suffix(16))),
            ("16 bytes in the middle", Array(secret[11..<27])), ("hex", text("%02x")), ("HEX", text("%02X")),
            ("percent", text("%%%02X")),
        ]
        for offset in 0..<3 {
            let bytes: [UInt8] = [UInt8](repeating: 0x5A, count: offset) + secret + [1, 2]
            forms.append(("base64 at offset \(offset)", Array(Data(bytes).base64EncodedString().utf8)))
        }
        return forms
    }()

    @Test(arguments: forms) func findsEachForm(_ name: String, _ form: [UInt8]) throws {
        let search = try CanarySearch([Canary("secret", Self.secret)])
        for position in Array(0...17) + [4095] {
            let noise = [UInt8](repeating: 0xEE, count: position)
            #expect(search.find(in: noise + form + [0xEE]) == "secret", "\(name) at \(position)")
        }
    }

    /// Whoever asked for it would take silence for cleanliness.
    @Test func refusesASecretTooShortToBeSearchedFor() {
        #expect(throws: StackError.self) { _ = try CanarySearch([Canary("short", [UInt8](repeating: 7, count: 12))]) }
    }

    @Test func findsNothingInShorterPiecesOrElsewhere() throws {
        let search = try CanarySearch([Canary("secret", Self.secret)])
        #expect(search.find(in: Array(Self.secret.prefix(15))) == nil)
        #expect(search.find(in: [UInt8]()) == nil)
        #expect(search.find(in: (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }) == nil)
    }

    @Test func findsASecretInTheMemoryOfAProcess() throws {
        let secret = (0..<32).map { _ in UInt8.random(in: 0...255) }
        let search = try CanarySearch([Canary("secret", secret)])
        let (hits, bytes) = try search.find(inProcess: ProcessInfo.processInfo.processIdentifier)
        #expect(!hits.isEmpty && bytes > 1_000_000)
    }

    /// A process has hundreds of mappings, and a secret may be in the last.
    @Test func searchesEveryMapping() throws {
        let pages = 600
        let size = pages * 4096
        let memory = try #require(mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(memory, size) }
        let secret = (0..<32).map { _ in UInt8.random(in: 0...255) }
        for page in stride(from: 0, to: pages, by: 2) {
            (memory + page * 4096).copyMemory(from: secret, byteCount: secret.count)
            mprotect(memory + (page + 1) * 4096, 4096, PROT_NONE)
        }
        let (hits, _) = try CanarySearch([Canary("secret", secret)]).find(
            inProcess: ProcessInfo.processInfo.processIdentifier)
        #expect(hits.filter { $0.hasPrefix("secret") }.count >= pages / 2)
    }
}
