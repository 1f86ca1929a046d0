import Sodium
import Testing

@Suite struct HashTests {
    @Test func sha256MatchesFIPS180() {
        let expected = hex("ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad")
        #expect(Hash.sha256(Array("abc".utf8)) == expected)
        #expect(
            Hash.sha256([]) == hex("e3b0c442 98fc1c14 9afbf4c8 996fb924 27ae41e4 649b934c a495991b 7852b855"))
        var streaming = Sha256()
        streaming.update(Array("a".utf8))
        let early = streaming.digest()
        streaming.update(Array("bc".utf8))
        #expect(streaming.digest() == expected)
        #expect(early == Hash.sha256(Array("a".utf8)))
    }

    @Test func sha512MatchesFIPS180() {
        #expect(
            Hash.sha512(Array("abc".utf8))
                == hex(
                    """
                    ddaf35a193617aba cc417349ae204131 12e6fa4e89a97ea2 0a9eeee64b55d39a
                    2192992a274fc1a8 36ba3c23a3feebbd 454d4423643ce80e 2a9ac94fa54ca49f
                    """))
    }

    /// RFC 4231, test cases 1, 2 and 6 (a key longer than the block).
    @Test func hmacMatchesRFC4231() {
        let cases: [(key: [UInt8], message: [UInt8], sha256: String, sha512: String)] = [
            (
                [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                """
                87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde
                daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854
                """
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                """
                164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
                9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737
                """
            ),
            (
                [UInt8](repeating: 0xaa, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                """
                80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352
                6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598
                """
            ),
        ]
        for vector in cases {
            vector.key.withUnsafeBytes { key in
                #expect(Hash.hmacSHA256(key: key, vector.message) == hex(vector.sha256))
                #expect(Hash.hmacSHA512(key: key, vector.message) == hex(vector.sha512))
            }
        }
    }

    @Test func hmacInPartsEqualsHmacOfTheWhole() {
        let key = Random.bytes(32)
        let message = Random.bytes(300)
        key.withUnsafeBytes { key in
            message.withUnsafeBytes { whole in
                var mac = [UInt8](repeating: 0, count: 32)
                let first = UnsafeRawBufferPointer(rebasing: whole[..<100])
                let second = UnsafeRawBufferPointer(rebasing: whole[100...])
                mac.withUnsafeMutableBytes { Hash.hmacSHA256(key: key, first, second, into: $0) }
                #expect(mac == Hash.hmacSHA256(key: key, message))
                var long = [UInt8](repeating: 0, count: 64)
                long.withUnsafeMutableBytes { Hash.hmacSHA512(key: key, first, second, into: $0) }
                #expect(long == Hash.hmacSHA512(key: key, message))
            }
        }
    }

    /// The inputs of RFC 5869 appendix A.1 to A.3 under SHA-512; outputs from Python's `cryptography`.
    @Test func hkdfMatchesAnIndependentImplementation() {
        let cases: [(secret: [UInt8], salt: [UInt8], info: [UInt8], output: String)] = [
            (
                [UInt8](repeating: 0x0b, count: 22), Array(0..<13), Array(0xf0..<0xfa),
                "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb"
            ),
            (
                Array(0..<0x50), Array(0x60..<0xb0), Array(0xb0...0xff),
                """
                ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1b695b48cbd1c8388441137b3ce28f16a
                a64ba33ba466b24df6cfcb021ecff235f6a2056ce3af1de44d572097a8505d9e7a93
                """
            ),
            (
                [UInt8](repeating: 0x0b, count: 22), [], [],
                "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac"
            ),
            (
                Array(0..<32), Array(0..<24), Array("alfred/seal/1connector.refresh_token".utf8),
                """
                e7a6d5b360556db1a1f851681f9ff2c21909acd4a5ea8a8ad4d27818822bc6db
                7a13c845bad69c864757c83e782ec5a309b673670b8e4dc365436edc60cb3e0c
                """
            ),
        ]
        for vector in cases {
            let output = hex(vector.output)
            let derived = Hash.hkdfSHA512(
                secret: secret(vector.secret), salt: vector.salt, info: vector.info, count: output.count)
            #expect(reveal(derived) == output)
        }
    }

    @Test func hkdfOfManyBlocksMatchesAnIndependentImplementation() {
        let derived = Hash.hkdfSHA512(
            secret: secret([UInt8](repeating: 1, count: 64)), salt: [UInt8](repeating: 2, count: 200),
            info: [3, 3, 3], count: 300)
        #expect(
            Hash.sha256(reveal(derived)) == hex("68e094d03970f9f2ab28b73d04a0461021c06276b6140a53bcc92b0fc5113fd7"))
    }
}
