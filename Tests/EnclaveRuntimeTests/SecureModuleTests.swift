import AttestedSession
import EnclaveProtocol
import Foundation
import Sodium
import SimulatedNitro
import Testing

@testable import EnclaveRuntime

/// The client of the secure module against the simulated one: real documents over a real socket.
@Suite struct SecureModuleTests {
    private func fault<R>(_ body: () throws(EnclaveRuntime.SecureModuleError) -> R) -> EnclaveRuntime.SecureModuleError?
    {
        do throws(EnclaveRuntime.SecureModuleError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func getsDocumentsThatCommitToWhatWasAsked() throws {
        let stand = try ModuleStand()
        let client = try stand.client()
        let nonce = Random.bytes(32)
        let document = try OwnDocument(try client.attest(userData: [1, 2], nonce: nonce, publicKey: nil))
        #expect(document.userData == [1, 2])
        #expect(document.nonce == nonce)
        #expect(document.publicKey == nil)
        #expect(document.registers[0] == stand.module.registers[0])
        #expect(document.timestampMilliseconds > 1_700_000_000_000)
        let key = try OwnDocument(
            try client.attest(userData: nil, nonce: nil, publicKey: [UInt8](repeating: 3, count: 550)))
        #expect(key.publicKey?.count == 550)
        #expect(key.userData == nil)
    }

    @Test func readsBothEncodingsOfTheDocument() throws {
        for isIndefinite in [true, false] {
            var draft = SimulatedSecureModule(registers: Registers.make(image: "x", instanceID: "i-1")).draft()
            draft.isIndefinite = isIndefinite
            #expect(try OwnDocument(draft.encoded()).registers.count == 16)
        }
    }

    @Test func getsRandomness() throws {
        let stand = try ModuleStand()
        let first = try stand.client().random()
        #expect(first.count == 256)
        #expect(try stand.client().random() != first)
    }

    @Test(
        arguments: [
            (.error(.internalError), .refused), (.error(.bufferTooSmall), .refused), (.hangUp, .unavailable),
            (.truncated, .malformed), (.oversize, .malformed), (.garbage, .malformed), (.trailingByte, .malformed),
            (.otherNonce, .malformed), (.otherUserData, .malformed), (.otherPublicKey, .malformed),
        ] as [(Misbehaviour, EnclaveRuntime.SecureModuleError)])
    func refusesAModuleThatMisbehaves(_ misbehaviour: Misbehaviour, _ expected: EnclaveRuntime.SecureModuleError) throws
    {
        let stand = try ModuleStand()
        let client = try stand.client()
        stand.module.misbehave(misbehaviour)
        #expect(
            fault { () throws(EnclaveRuntime.SecureModuleError) in
                try client.attest(userData: [1], nonce: [2], publicKey: nil)
            } == expected)
        stand.module.misbehave(nil)
        #expect(
            fault { () throws(EnclaveRuntime.SecureModuleError) in
                try client.attest(userData: [1], nonce: [2], publicKey: nil)
            } == nil)
        // Once for each call: nothing is tried again.
        #expect(stand.module.requestCount == 2)
    }

    @Test func waitsForASilentModuleNoLongerThanItsDeadline() throws {
        let stand = try ModuleStand()
        let client = try stand.client(milliseconds: 100)
        stand.module.misbehave(.silence)
        #expect(fault { () throws(EnclaveRuntime.SecureModuleError) in try client.random() } == .timedOut)
    }

    /// The driver may hold a call for two minutes: everybody else is told at once meanwhile.
    @Test func whileACallIsOverdueNobodyElseWaits() throws {
        let gate = Monitor(false)
        let calls = Monitor(0)
        let client = try NSMClient(milliseconds: 200) { _, _ throws(EnclaveRuntime.SecureModuleError) in
            calls.withLock { $0 += 1 }
            _ = gate.wait(until: .now.advanced(bySeconds: 60)) { $0 ? true : nil }
            throw .refused
        }
        #expect(fault { () throws(EnclaveRuntime.SecureModuleError) in try client.random() } == .timedOut)
        for _ in 0..<100 {
            #expect(fault { () throws(EnclaveRuntime.SecureModuleError) in try client.random() } == .timedOut)
        }
        // None of them was put in the queue to wait.
        #expect(client.waitingCount == 0)
        #expect(calls.withLock { $0 } == 1)
        gate.withLock(wake: true) { $0 = true }
        let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
        var last: EnclaveRuntime.SecureModuleError?
        while last != .refused, deadline > .now {
            last = fault { () throws(EnclaveRuntime.SecureModuleError) in try client.random() }
        }
        #expect(last == .refused)
    }

    @Test(arguments: [
        "", "a0", "a1654572726f72", "6f4765745265706f7274", "a16947657452616e646f6da0",
        "a16947657452616e646f6da16672616e646f6d40", "a16947657452616e646f6da16672616e646f6d6161",
        "a16947657452616e646f6da16564617461614161", "a26947657452616e646f6da16672616e646f6d4100654572726f726161",
        "a16b4174746573746174696f6ea16672616e646f6d4100", "a16947657452616e646f6da16672616e646f6d410000",
        "a16947657452616e646f6da26672616e646f6d41006672616e646f6d4100",
    ])
    func refusesAnswersThatAreNoneToTheRequest(_ hexadecimal: String) throws {
        let bytes = try #require(unhex(hexadecimal))
        #expect(
            fault { () throws(EnclaveRuntime.SecureModuleError) in
                try NSMMessages.answer(bytes, "GetRandom", "random", atMost: 256)
            } == .malformed)
    }

    /// What is read is read to its end, whatever stands there.
    @Test func noMutationOfAnAnswerCrashesTheReader() throws {
        var generator = SystemRandomNumberGenerator()
        let document = SimulatedSecureModule(registers: Registers.make(image: "x", instanceID: "i-1"))
            .document(userData: [1], nonce: [2])
        for round in 0..<5000 {
            var bytes = document
            if round.isMultiple(of: 3) {
                bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator))
                #expect(throws: EnclaveRuntime.SecureModuleError.malformed) { try OwnDocument(bytes) }
            } else {
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                        in: 0...255, using: &generator)
                }
                _ = try? OwnDocument(bytes)
            }
            _ = try? NSMMessages.answer(bytes, "Attestation", "document", atMost: 4096)
        }
    }

    @Test func readsTheFormsOfTheDriver() throws {
        let random = try #require(unhex("a16947657452616e646f6da16672616e646f6d420102"))
        #expect(try NSMMessages.answer(random, "GetRandom", "random", atMost: 256) == [1, 2])
        let indefinite = try #require(unhex("bf6947657452616e646f6dbf6672616e646f6d420102ffff"))
        #expect(try NSMMessages.answer(indefinite, "GetRandom", "random", atMost: 256) == [1, 2])
        let error = try #require(unhex("a1654572726f726d496e7465726e616c4572726f72"))
        #expect(
            fault { () throws(EnclaveRuntime.SecureModuleError) in
                try NSMMessages.answer(error, "GetRandom", "random", atMost: 256)
            } == .refused)
    }

    @Test func asksNothingTheModuleWouldNotTake() throws {
        let stand = try ModuleStand()
        let client = try stand.client()
        for (data, nonce, key) in [(513, 0, 0), (0, 513, 0), (0, 0, 1025)] {
            #expect(
                fault { () throws(EnclaveRuntime.SecureModuleError) in
                    try client.attest(
                        userData: [UInt8](repeating: 0, count: data), nonce: [UInt8](repeating: 0, count: nonce),
                        publicKey: [UInt8](repeating: 0, count: key))
                } == .tooLarge)
        }
        #expect(stand.module.requestCount == 0)
    }

    /// A character device that is no secure module refuses the ioctl; a file and nothing at all are neither.
    @Test func takesOnlyADeviceOrASocketForAModule() throws {
        #expect(
            fault { () throws(EnclaveRuntime.SecureModuleError) in
                try NSMClient(path: "/dev/null").random()
            } == .unavailable)
        for path in ["/etc/passwd", "/nowhere", "/tmp"] {
            #expect(fault { () throws(EnclaveRuntime.SecureModuleError) in try NSMClient(path: path) } == .unavailable)
        }
    }

    private func unhex(_ text: String) -> [UInt8]? {
        let digits = Array(text)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...($0 + 1)]), radix: 16) ?? 0 }
    }
}
