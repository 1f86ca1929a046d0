import Sodium
import Testing

@Suite struct Ed25519Tests {
    private let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

    /// RFC 8032 §7.1, TEST 1 and TEST 3.
    @Test func signsLikeRFC8032() throws {
        let cases = [
            (
                seed, "", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                """
                e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
                5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b
                """
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                """
                6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
                18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
                """
            ),
        ]
        for (seed, message, publicKey, signature) in cases {
            guard let key = Ed25519.SigningKey(seed: secret(hex(seed))) else {
                Issue.record("the seed was refused")
                continue
            }
            #expect(key.publicKey == hex(publicKey))
            #expect(key.sign(hex(message)) == hex(signature))
            #expect(Ed25519.verify(signature: hex(signature), message: hex(message), publicKey: hex(publicKey)))
        }
    }

    @Test func refusesEveryChangedByte() {
        let key = Ed25519.SigningKey()
        let message = Random.bytes(40)
        let signature = key.sign(message)
        #expect(Ed25519.verify(signature: signature, message: message, publicKey: key.publicKey))
        for index in signature.indices {
            #expect(
                !Ed25519.verify(signature: signature.flipped(index), message: message, publicKey: key.publicKey))
        }
        for index in key.publicKey.indices {
            #expect(
                !Ed25519.verify(signature: signature, message: message, publicKey: key.publicKey.flipped(index)))
        }
        #expect(!Ed25519.verify(signature: signature, message: message.flipped(0), publicKey: key.publicKey))
        #expect(!Ed25519.verify(signature: Array(signature.dropLast()), message: message, publicKey: key.publicKey))
        #expect(!Ed25519.verify(signature: signature, message: message, publicKey: []))
    }

    @Test func refusesAKeyOfSmallOrderThatFitsEveryMessage() {
        // The neutral element as key and as R, S = 0: the bare equation holds for any message.
        let neutral = [1] + [UInt8](repeating: 0, count: 31)
        let signature = neutral + [UInt8](repeating: 0, count: 32)
        #expect(!Ed25519.verify(signature: signature, message: [1, 2, 3], publicKey: neutral))
    }

    @Test func refusesTheSecondFormOfAValidSignature() {
        let key = Ed25519.SigningKey()
        let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var signature = key.sign([7])
        var carry = 0
        for index in 0..<32 {
            let sum = Int(signature[32 + index]) + Int(order[index]) + carry
            signature[32 + index] = UInt8(truncatingIfNeeded: sum)
            carry = sum >> 8
        }
        #expect(!Ed25519.verify(signature: signature, message: [7], publicKey: key.publicKey))
    }

    @Test func refusesASeedOfAnotherLength() {
        let made = Ed25519.SigningKey(seed: secret([1, 2, 3])) != nil
        #expect(!made)
    }
}

@Suite struct X25519Tests {
    /// RFC 7748 §5.2, first vector.
    @Test func multipliesLikeRFC7748() {
        let scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
        let point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
        guard let key = X25519.PrivateKey(secret(scalar)), let product = key.sharedSecret(with: point) else {
            Issue.record("the key was refused")
            return
        }
        #expect(reveal(product) == hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"))
    }

    /// The private key 00 01 … 1f; public key from Python's `cryptography`.
    @Test func derivesThePublicKey() {
        guard let key = X25519.PrivateKey(secret(Array(0..<32))) else {
            Issue.record("the key was refused")
            return
        }
        #expect(key.publicKey == hex("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"))
        let short = X25519.PrivateKey(secret(Array(0..<31))) == nil
        #expect(short)
        #expect(X25519.isLowOrder([9]))
    }

    @Test func bothSidesFindTheSameSecret() {
        let alice = X25519.PrivateKey()
        let bob = X25519.PrivateKey()
        guard let first = alice.sharedSecret(with: bob.publicKey),
            let second = bob.sharedSecret(with: alice.publicKey)
        else {
            Issue.record("an honest key was refused")
            return
        }
        #expect(reveal(first) == reveal(second))
        #expect(!X25519.isLowOrder(alice.publicKey))
    }

    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ])
    func refusesKeysThatLeadToZero(_ point: String) {
        let refused = X25519.PrivateKey().sharedSecret(with: hex(point)) == nil
        #expect(refused)
        #expect(X25519.isLowOrder(hex(point)))
    }
}
