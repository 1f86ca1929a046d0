import EnclaveProtocol
import Testing

@Suite struct CBORTests {
    @Test func refusesEveryInputOfTheTable() {
        #expect(WireDocument.refused.count >= 23)
        for (what, input) in WireDocument.refused {
            #expect(throws: CBORError.self, "\(what)") { try CBORReader.checkWellFormed(input) }
        }
    }

    @Test func acceptsEveryVector() throws {
        for (name, input) in WireDocument.vectors {
            #expect(throws: Never.self, "\(name)") { try CBORReader.checkWellFormed(input) }
        }
    }

    /// RFC 8949 appendix A, the rows inside our subset.
    @Test(
        arguments: [
            (0, "00"), (1, "01"), (10, "0a"), (23, "17"), (24, "1818"), (25, "1819"), (100, "1864"), (1000, "1903e8"),
            (1_000_000, "1a000f4240"), (1_000_000_000_000, "1b000000e8d4a51000"),
            (18_446_744_073_709_551_615, "1bffffffffffffffff"),
        ] as [(UInt64, String)])
    func writesAndReadsIntegers(value: UInt64, hex: String) throws {
        var writer = CBORWriter()
        writer.unsigned(value)
        #expect(writer.bytes == WireDocument.bytes(hex: hex))
        var reader = CBORReader(writer.bytes)
        #expect(try reader.unsigned() == value)
        try reader.finish()
    }

    @Test func acceptsMapsWithAscendingKeys() throws {
        // {"a": 1, "b": 2} and {1: 2, 3: 4}
        try CBORReader.checkWellFormed([0xA2, 0x61, 0x61, 0x01, 0x61, 0x62, 0x02])
        try CBORReader.checkWellFormed([0xA2, 0x01, 0x02, 0x03, 0x04])
    }

    @Test func tellsDuplicateKeysFromOtherErrors() {
        #expect(throws: CBORError.keyOrder) {
            try CBORReader.checkWellFormed([0xA2, 0x01, 0x02, 0x01, 0x04])
        }
    }

    @Test func readsNothingBeyondAClaimedLength() {
        // A byte string that claims 2^63 bytes.
        var reader = CBORReader([0x5B, 0x80, 0, 0, 0, 0, 0, 0, 0])
        #expect(throws: CBORError.truncated) { try reader.bytes() }
    }

    @Test func refusesDepthNineAndAcceptsDepthEight() throws {
        let eight = [UInt8](repeating: 0x81, count: 7) + [0x80]
        try CBORReader.checkWellFormed(eight)
        #expect(throws: CBORError.tooDeep) { try CBORReader.checkWellFormed([0x81] + eight) }
    }

    /// Any input either is refused or is the one encoding of what was read.
    @Test func neverAcceptsTwoEncodingsOfOneMessage() {
        var generator = SystemRandomNumberGenerator()
        let seeds = Array(WireDocument.vectors.values)
        for _ in 0..<20_000 {
            guard var input = seeds.randomElement(using: &generator), !input.isEmpty else { continue }
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                input[Int.random(in: 0..<input.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if let call = try? CallEnvelope(decoding: input) { #expect(call.encoded() == input) }
            if let hello = try? HelloRequest(decoding: input) { #expect(hello.encoded() == input) }
            if let answer = try? HelloAnswer(decoding: input) { #expect(answer.encoded() == input) }
            if let get = try? GoogleGet(decoding: input) { #expect(get.encoded() == input) }
            if let items = try? DataItems(decoding: input) { #expect(items.encoded() == input) }
            if let results = try? DataResults(decoding: input) { #expect(results.encoded() == input) }
            if let put = try? RecordPut(decoding: input) { #expect(put.encoded() == input) }
            if let evidence = try? Evidence(decoding: input) { #expect(evidence.encoded() == input) }
        }
    }
}
