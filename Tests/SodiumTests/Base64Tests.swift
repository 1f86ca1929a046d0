import Sodium
import Testing

@Suite struct Base64Tests {
    /// RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func encodesAndDecodesTheVectors(_ plain: String, _ text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
        let characters = Array(text.utf8)
        let secret = characters.span.withUnsafeBytes { Base64.decodeSecret($0) }
        guard let secret else {
            Issue.record("did not decode")
            return
        }
        #expect(reveal(secret) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zg==\n", " Zg==", "Z g==", "Zg==Zg==", "====", "=", "Z===", "_-8=",
        "Zm9vé", "Zm\u{0}v",
    ])
    func refusesWhatIsNotStrict(_ text: String) {
        #expect(Base64.decode(text) == nil)
        let characters = Array(text.utf8)
        let refused = characters.span.withUnsafeBytes { Base64.decodeSecret($0) } == nil
        #expect(refused)
    }

    @Test func urlAlphabetHasNoPadding() {
        #expect(Base64.encodeURL([0xfb, 0xff]) == "-_8")
        #expect(Base64.decodeURL("-_8") == [0xfb, 0xff])
        #expect(Base64.decodeURL("-_8=") == nil)
        #expect(Base64.decodeURL("+/8") == nil)
        #expect(Base64.decodeURL("-_9") == nil)
    }

    @Test func anyBytesComeBack() {
        for count in 0..<200 {
            let bytes = Random.bytes(count)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: ["0", "0g", "zz", " 00", "0x00"]) func refusesWhatIsNotHexadecimal(_ text: String) {
        #expect(Hex.decode(text) == nil)
    }
}
