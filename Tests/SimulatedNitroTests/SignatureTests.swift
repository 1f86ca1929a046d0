import SimulatedNitro
import Testing

@Suite struct SignatureTests {
    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// RFC 6979, A.2.6, SHA-384, message "sample".
    @Test func signsWithTheNonceOfTheStandard() {
        let key = CurveKey(
            .p384,
            scalar: bytes(
                "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5"))
        let (r, s) = key.sign(Array("sample".utf8))
        #expect(
            r
                == bytes(
                    "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46"))
        #expect(
            s
                == bytes(
                    "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"))
    }
}
