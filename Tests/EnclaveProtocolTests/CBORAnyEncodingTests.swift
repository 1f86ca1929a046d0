import EnclaveProtocol
import Testing

/// Documents that others encode: any well-formed CBOR, within the same bounds.
@Suite struct CBORAnyEncodingTests {
    private func lenient<Value>(
        _ bytes: [UInt8], _ read: (inout CBORReader) throws(CBORError) -> Value
    ) throws(CBORError) -> Value {
        var reader = CBORReader(anyEncoding: bytes)
        let value = try read(&reader)
        try reader.finish()
        return value
    }

    @Test func readsLongHeads() throws {
        #expect(try lenient([0x1B, 0, 0, 0, 0, 0, 0, 0, 5]) { cbor throws(CBORError) in try cbor.unsigned() } == 5)
        #expect(try lenient([0x59, 0, 1, 7]) { cbor throws(CBORError) in try cbor.bytes() } == [7])
    }

    @Test func readsIndefiniteStringsInChunks() throws {
        let bytes: [UInt8] = [0x5F, 0x41, 1, 0x40, 0x58, 1, 2, 0xFF]
        #expect(try lenient(bytes) { cbor throws(CBORError) in try cbor.bytes() } == [1, 2])
        #expect(
            try lenient([0x7F, 0x61, 0x61, 0x61, 0x62, 0xFF]) { cbor throws(CBORError) in try cbor.text() } == "ab")
    }

    @Test(
        arguments: [
            ("a chunk of another type", [0x5F, 0x61, 0x61, 0xFF]),
            ("nested chunks", [0x5F, 0x5F, 0x41, 1, 0xFF, 0xFF]),
            ("no break", [0x5F, 0x41, 1]), ("a chunk beyond the end", [0x5F, 0x42, 1]),
        ] as [(String, [UInt8])])
    func refusesBrokenChunks(_ what: String, bytes: [UInt8]) {
        #expect(throws: CBORError.self) { try lenient(bytes) { cbor throws(CBORError) in try cbor.bytes() } }
    }

    @Test func refusesAChunkThatSplitsACharacter() {
        #expect(throws: CBORError.invalidText) {
            try lenient([0x7F, 0x61, 0xC3, 0x61, 0xA4, 0xFF]) { cbor throws(CBORError) in try cbor.text() }
        }
    }

    @Test func boundsAllChunksTogether() {
        let chunk: [UInt8] = [0x44, 1, 2, 3, 4]
        #expect(throws: CBORError.outOfRange) {
            try lenient([0x5F] + chunk + chunk + [0xFF]) { cbor throws(CBORError) in try cbor.bytes(atMost: 7) }
        }
    }

    @Test func countsIndefiniteArraysAndMaps() throws {
        let array = try lenient([0x9F, 1, 0x9F, 2, 3, 0xFF, 0xFF]) { cbor throws(CBORError) in
            let outer = try cbor.array(atMost: 8)
            _ = try cbor.unsigned()
            let inner = try cbor.array(atMost: 8)
            let sum = try cbor.unsigned() + cbor.unsigned()
            cbor.end()
            cbor.end()
            return [outer, inner, Int(sum)]
        }
        #expect(array == [2, 2, 5])
        let map = try lenient([0xBF, 1, 2, 1, 3, 0xFF]) { cbor throws(CBORError) in
            let count = try cbor.map(atMost: 8)
            for _ in 0..<(2 * count) { try cbor.skip() }
            cbor.end()
            return count
        }
        #expect(map == 2)
    }

    @Test(
        arguments: [
            ("a map that ends after a key", [0xBF, 1, 0xFF]), ("a stray break", [0xFF]), ("no break", [0x9F, 1]),
            ("nothing after the head", [0x9F]), ("a tag", [0xC1, 1]), ("a float", [0xF9, 0, 0]),
            ("reserved", [0x1C]), ("an indefinite number", [0x1F]),
            ("more than the rest", [0x9A, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] as [(String, [UInt8])])
    func refuses(_ what: String, bytes: [UInt8]) {
        #expect(throws: CBORError.self) { try lenient(bytes) { cbor throws(CBORError) in try cbor.skip() } }
        #expect(throws: CBORError.self) {
            try lenient(bytes) { cbor throws(CBORError) in
                for _ in 0..<(try cbor.map(atMost: 8)) { try cbor.skip() }
            }
        }
    }

    @Test func keepsDepthAndNumberBounded() throws {
        let eight = [UInt8](repeating: 0x9F, count: 8) + [UInt8](repeating: 0xFF, count: 8)
        try lenient(eight) { cbor throws(CBORError) in try cbor.skip() }
        #expect(throws: CBORError.tooDeep) {
            try lenient([0x9F] + eight + [0xFF]) { cbor throws(CBORError) in try cbor.skip() }
        }
        let many = [0x9F] + [UInt8](repeating: 1, count: Limits.maximumElements + 1) + [0xFF]
        #expect(throws: CBORError.tooMany) { try lenient(many) { cbor throws(CBORError) in try cbor.skip() } }
        #expect(throws: CBORError.tooMany) {
            try lenient([0x9F, 1, 1, 1, 0xFF]) { cbor throws(CBORError) in try cbor.array(atMost: 2) }
        }
    }

    @Test(
        arguments: [[0x9F, 0xFF], [0xBF, 0xFF], [0x5F, 0xFF], [0x7F, 0xFF], [0x18, 0x01], [0x58, 0x01, 0x01]]
            as [[UInt8]])
    func theDeterministicReaderTakesNoneOfIt(_ bytes: [UInt8]) {
        #expect(throws: CBORError.self) { try CBORReader.checkWellFormed(bytes) }
    }
}
