import Sodium
import Testing

@Suite struct ChaCha20Poly1305Tests {
    // Key, nonce and associated data of RFC 8439 appendix A.5; outputs from Python's `cryptography`.
    private let key = hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
    private let counter: UInt64 = 0x0807_0605_0403_0201
    private let ad = hex("f33388860000000000004e91")
    private let sealed = hex(
        """
        2dcff07303ed798745bd1aadf19f3e922fe32bce443b84f89d31197eb804ffc80239ad1b271909a0ec97a50a662069bf
        e0e7fd666b5b5a1783af2137601d8a9d1c00b525466eb0e7b4a18f608866b8ab6489355935ac008e1480aa8fd306f769
        9292ee2de1496c75a08ca404668bcddec4a60364
        """)

    private func open(_ sealed: [UInt8], key: [UInt8], counter: UInt64, ad: [UInt8]) -> [UInt8]? {
        var plaintext = [UInt8](repeating: 0, count: max(0, sealed.count - 16))
        let opened = plaintext.withUnsafeMutableBytes { plaintext in
            sealed.withUnsafeBytes { sealed in
                key.withUnsafeBytes { key in
                    ad.withUnsafeBytes {
                        ChaCha20Poly1305.open(sealed, into: plaintext, key: key, counter: counter, ad: $0)
                    }
                }
            }
        }
        return opened ? plaintext : nil
    }

    @Test func sealsLikeAnIndependentImplementationAndInPlace() {
        var buffer = Array<UInt8>(0..<100) + [UInt8](repeating: 0, count: 16)
        buffer.withUnsafeMutableBytes { buffer in
            key.withUnsafeBytes { key in
                ad.withUnsafeBytes { ad in
                    let plaintext = UnsafeRawBufferPointer(rebasing: buffer[..<100])
                    ChaCha20Poly1305.seal(plaintext, into: buffer, key: key, counter: counter, ad: ad)
                }
            }
        }
        #expect(buffer == sealed)
        #expect(open(sealed, key: key, counter: counter, ad: ad) == Array(0..<100))
    }

    @Test func sealsNothingAtAll() {
        var tag = [UInt8](repeating: 0, count: 16)
        tag.withUnsafeMutableBytes { tag in
            key.withUnsafeBytes {
                ChaCha20Poly1305.seal(UnsafeRawBufferPointer(start: nil, count: 0), into: tag, key: $0, counter: 0)
            }
        }
        #expect(tag == hex("26edab23e9e2b84722a2d89156ef8b24"))
        #expect(open(tag, key: key, counter: 0, ad: []) == [])
    }

    @Test func refusesAnyChange() {
        for index in sealed.indices {
            #expect(open(sealed.flipped(index), key: key, counter: counter, ad: ad) == nil)
        }
        #expect(open(sealed, key: key.flipped(31), counter: counter, ad: ad) == nil)
        #expect(open(sealed, key: key, counter: counter + 1, ad: ad) == nil)
        #expect(open(sealed, key: key, counter: counter, ad: ad.flipped(0)) == nil)
        #expect(open(Array(sealed[..<15]), key: key, counter: counter, ad: ad) == nil)
    }
}

@Suite struct XChaCha20Poly1305Tests {
    private let key = Array<UInt8>(0x80...0x9f)
    private let nonce = Array<UInt8>(0x40...0x57)
    private let ad = hex("50515253c0c1c2c3c4c5c6c7")
    private let plaintext = Array(
        """
        Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.
        """.utf8)

    private func seal(_ plaintext: [UInt8], nonce: [UInt8]) -> [UInt8] {
        plaintext.withUnsafeBytes { plaintext in
            key.withUnsafeBytes { XChaCha20Poly1305.seal(plaintext: plaintext, key: $0, nonce: nonce, ad: ad) }
        }
    }

    private func open(_ sealed: [UInt8], key: [UInt8], nonce: [UInt8], ad: [UInt8]) -> [UInt8]? {
        sealed.withUnsafeBytes { sealed in
            key.withUnsafeBytes { XChaCha20Poly1305.openPublic(ciphertext: sealed, key: $0, nonce: nonce, ad: ad) }
        }
    }

    /// draft-irtf-cfrg-xchacha-03 appendix A.3.1.
    @Test func sealsLikeTheDraft() {
        let sealed = hex(
            """
            bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39
            ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
            21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49
            """)
        #expect(seal(plaintext, nonce: nonce) == sealed)
        #expect(open(sealed, key: key, nonce: nonce, ad: ad) == plaintext)
        let secret = sealed.span.withUnsafeBytes { sealed in
            key.span.withUnsafeBytes { XChaCha20Poly1305.open(ciphertext: sealed, key: $0, nonce: nonce, ad: ad) }
        }
        guard let secret else {
            Issue.record("did not open")
            return
        }
        #expect(reveal(secret) == plaintext)
    }

    @Test func refusesAnyChange() {
        let sealed = seal(plaintext, nonce: nonce)
        for index in sealed.indices {
            #expect(open(sealed.flipped(index), key: key, nonce: nonce, ad: ad) == nil)
        }
        #expect(open(sealed, key: key.flipped(0), nonce: nonce, ad: ad) == nil)
        #expect(open(sealed, key: key, nonce: nonce.flipped(23), ad: ad) == nil)
        #expect(open(sealed, key: key, nonce: nonce, ad: []) == nil)
        #expect(open([1, 2, 3], key: key, nonce: nonce, ad: ad) == nil)
        let changed = sealed.flipped(3)
        let secret = changed.span.withUnsafeBytes { sealed in
            key.span.withUnsafeBytes { XChaCha20Poly1305.open(ciphertext: sealed, key: $0, nonce: nonce, ad: ad) }
        }
        let refused = secret == nil
        #expect(refused)
    }
}
