import Sodium
import Testing

@testable import AttestedSession

/// Known answers for `Noise_IK_25519_ChaChaPoly_SHA256`, prologue "John Galt", from the published vectors of cacophony
/// (github.com/haskell-cryptography/cacophony, vectors/cacophony.txt), which snow and others test against too.
struct NoiseVectorTests {
    private let prologue = Array("John Galt".utf8)

    private func key(_ text: String) throws -> X25519.PrivateKey {
        let bytes = bytes(hex: text)
        let secret = unsafe SecretBytes(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
        guard let key = X25519.PrivateKey(secret) else { throw NoiseError.malformed }
        return key
    }

    private func initiator(_ staticKey: borrowing X25519.PrivateKey, responder: [UInt8]) throws -> NoiseIK {
        try NoiseIK(
            initiatorKnowing: responder, prologue: prologue,
            ephemeral: key("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"))
    }

    @Test func matchesThePublishedVectorsAsInitiatorAndResponder() throws {
        let initiatorKey = try key("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1")
        let responderKey = try key("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893")
        var first = try initiator(initiatorKey, responder: responderKey.publicKey)
        var second = try NoiseIK(
            responderWith: responderKey.publicKey, prologue: prologue,
            ephemeral: key("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"))

        let messageOne = try first.writeFirst(
            staticKey: initiatorKey, payload: bytes(hex: "4c756477696720766f6e204d69736573"))
        #expect(
            hex(messageOne) == "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
                + "718da798efbcd91528520204f904b9bd6c7413dccdc214d951e15253e39987f18146e8cd0873654207148333479d4d16"
                + "c289f0294b29960a72f48e0b7bba2e89083169825e59642148d492020664ccf7")
        let read = try second.readFirst(messageOne, staticKey: responderKey)
        #expect(read.initiatorKey == initiatorKey.publicKey)
        #expect(read.payload == bytes(hex: "4c756477696720766f6e204d69736573"))

        let messageTwo = try second.writeSecond(payload: bytes(hex: "4d757272617920526f746862617264"))
        #expect(
            hex(messageTwo) == "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
                + "5361e70b2ed446e6c9ec387d1d6b3b840f194e373979d241b203c4acafccf5")
        #expect(
            try first.readSecond(messageTwo, staticKey: initiatorKey) == bytes(hex: "4d757272617920526f746862617264"))
        let hash = "0b0f68fb0c27e03ce9b97565995ed4838cc0581b762ef72b062f6a546419fad7"
        #expect(hex(first.handshakeHash) == hash)
        #expect(hex(second.handshakeHash) == hash)

        var ciphers = first.split()
        #expect(
            try seal(&ciphers.fromInitiator, "462e20412e20486179656b")
                == "050e9f3c8fac16b68dbce8f8c4bfbf6617c897f9ada4aa29aa19c8")
        #expect(
            try seal(&ciphers.fromResponder, "4361726c204d656e676572")
                == "344233a6cabb7141d80f3da2fedc311d9646bbb0f505afe403a667")
        #expect(
            try seal(&ciphers.fromInitiator, "4a65616e2d426170746973746520536179")
                == "62cdeeb172ad7ade7aa7d9e069da5790f12331bfa00177787a1d0810c67dc3b2b4")
        #expect(
            try seal(&ciphers.fromResponder, "457567656e2042f6686d20766f6e2042617765726b")
                == "029bead1b40992327044d409d9a1f3ad8f36c3c452775d557e18bbeb2e8dfcead32d514024")
    }

    @Test func refusesEveryAlteredByteOfMessageOne() throws {
        let initiatorKey = X25519.PrivateKey()
        let responderKey = X25519.PrivateKey()
        var noise = NoiseIK(initiatorKnowing: responderKey.publicKey, prologue: prologue)
        let message = try noise.writeFirst(staticKey: initiatorKey)
        #expect(message.count == NoiseIK.firstMessageBytes)
        for index in message.indices {
            var altered = message
            altered[index] ^= 1
            #expect(throws: NoiseError.self) {
                var responder = NoiseIK(responderWith: responderKey.publicKey, prologue: prologue)
                _ = try responder.readFirst(altered, staticKey: responderKey)
            }
        }
    }

    @Test func refusesAnotherPrologue() throws {
        let initiatorKey = X25519.PrivateKey()
        let responderKey = X25519.PrivateKey()
        var noise = NoiseIK(initiatorKnowing: responderKey.publicKey, prologue: prologue)
        let message = try noise.writeFirst(staticKey: initiatorKey)
        #expect(throws: NoiseError.authenticationFailed) {
            var responder = NoiseIK(responderWith: responderKey.publicKey, prologue: prologue + [0])
            _ = try responder.readFirst(message, staticKey: responderKey)
        }
    }

    @Test func endsOnAnAllZeroSharedSecret() throws {
        let responderKey = X25519.PrivateKey()
        let message = [UInt8](repeating: 0, count: NoiseIK.firstMessageBytes)
        #expect(throws: NoiseError.zeroSharedSecret) {
            var responder = NoiseIK(responderWith: responderKey.publicKey, prologue: prologue)
            _ = try responder.readFirst(message, staticKey: responderKey)
        }
        #expect(throws: NoiseError.zeroSharedSecret) {
            var initiator = NoiseIK(initiatorKnowing: [UInt8](repeating: 0, count: 32), prologue: prologue)
            _ = try initiator.writeFirst(staticKey: responderKey)
        }
    }

    @Test func endsBeforeANonceWouldRepeat() throws {
        var cipher = TransportCipher(key: SecretBytes(random: 32), nonce: .max - 1)
        _ = try seal(&cipher, "00")
        #expect(throws: NoiseError.nonceExhausted) { try seal(&cipher, "00") }
    }

    private func seal(_ cipher: inout TransportCipher, _ plaintext: String) throws -> String {
        let plaintext = bytes(hex: plaintext)
        var memory = plaintext + [UInt8](repeating: 0, count: 16)
        try unsafe memory.withUnsafeMutableBytes { try unsafe cipher.seal($0, count: plaintext.count) }
        return hex(memory)
    }
}
