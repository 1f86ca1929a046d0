import EnclaveProtocol
import Foundation
import Sodium
import Testing

@testable import AttestedSession

/// A hostile host with a valid key, once it has a session: each fault ends that session and no other.
struct SessionFaultTests {
    /// Opens a session byte by byte, lets `attack` loose on it and expects `end`, while another session goes on.
    private func expect(
        _ end: SessionEnd, _ sourceLocation: SourceLocation = #_sourceLocation,
        after attack: (RawHost, TestEnclave) throws -> Void
    ) throws {
        let enclave = try TestEnclave()
        let other = try enclave.session()
        let raw = try RawHost(enclave)
        try raw.shakeHands(enclave)
        raw.send(try raw.seal(0, .credit, [0, 0, 0, 0]))
        #expect(eventually { enclave.listener.sessions.count == 2 }, sourceLocation: sourceLocation)
        try attack(raw, enclave)
        #expect(eventually { enclave.handler.endings == [end] }, sourceLocation: sourceLocation)
        #expect(raw.isClosed(), sourceLocation: sourceLocation)
        #expect(try other.callAndWait(call([1])) == [1], sourceLocation: sourceLocation)
        #expect(enclave.stop(), sourceLocation: sourceLocation)
    }

    @Test func servesAHostThatKeepsTheRules() throws {
        let enclave = try TestEnclave()
        let raw = try RawHost(enclave)
        try raw.shakeHands(enclave)
        raw.send(try raw.seal(1, .request, raw.envelope([5])))
        #expect(raw.frame() != nil)
        #expect(enclave.listener.sessions.count == 1)
        #expect(enclave.stop())
    }

    @Test func refusesAReplayedFrame() throws {
        try expect(.recordRefused) { raw, _ in
            let frame = try raw.seal(1, .request, raw.envelope([5]))
            raw.send(frame + frame)
        }
    }

    @Test func refusesAFrameFromAnotherSession() throws {
        try expect(.recordRefused) { raw, enclave in
            let other = try RawHost(enclave)
            try other.shakeHands(enclave)
            _ = try other.seal(0, .credit, [0, 0, 0, 0])
            // Same number, same plaintext, other session.
            raw.send(try other.seal(1, .request, raw.envelope([5])))
        }
    }

    @Test func refusesAFrameOutOfOrder() throws {
        try expect(.recordRefused) { raw, _ in
            _ = try raw.seal(1, .request, raw.envelope([5]))
            raw.send(try raw.seal(3, .request, raw.envelope([5])))
        }
    }

    @Test(arguments: [4, 10, 30]) func refusesAnAlteredFrame(_ index: Int) throws {
        try expect(.recordRefused) { raw, _ in
            var frame = try raw.seal(1, .request, raw.envelope([5]))
            frame[index] ^= 0x80
            raw.send(frame)
        }
    }

    @Test func refusesGarbage() throws {
        try expect(.recordRefused) { raw, _ in raw.sendFrame(Random.bytes(500)) }
    }

    @Test(arguments: [0, 21, 65_536, 0x7FFF_FFFF]) func refusesFrameLengthsThatNoMessageHas(_ length: Int) throws {
        try expect(.protocolViolation(.frameLength)) { raw, _ in raw.send(frameLengthBytes(length)) }
    }

    @Test func endsWhenTheHostStopsInTheMiddleOfAFrame() throws {
        try expect(.closedByPeer) { raw, _ in
            raw.send(Array(try raw.seal(1, .request, raw.envelope([5])).dropLast()))
            shutdown(raw.socket, Int32(SHUT_WR))
        }
    }

    @Test func refusesAnswersToNothingAndBrokenNumbers() throws {
        try expect(.protocolViolation(.unexpectedAnswer)) { raw, _ in raw.send(try raw.seal(2, .response, [1])) }
        try expect(.protocolViolation(.callID)) { raw, _ in raw.send(try raw.seal(2, .request, raw.envelope([]))) }
        try expect(.protocolViolation(.malformedRecord)) { raw, _ in raw.send(try raw.seal(9, .cancel, [1])) }
    }

    @Test func answersARequestThatIsNoEnvelopeAndGoesOn() throws {
        let enclave = try TestEnclave()
        let raw = try RawHost(enclave)
        try raw.shakeHands(enclave)
        raw.send(try raw.seal(1, .request, [0xFF]))
        #expect(raw.frame() != nil)
        raw.send(try raw.seal(3, .request, raw.envelope([5])))
        #expect(raw.frame() != nil)
        #expect(enclave.handler.endings.isEmpty)
        #expect(enclave.stop())
    }

    @Test func takesNoNewCallOnASessionKeptBeyondItsAge() throws {
        let calls = Collected<Bool>()
        let enclave = try TestEnclave(
            ClosureHandler { _, _, reply in
                calls.add(true)
                reply(.success([]))
            }, limits: ListenerLimits(sessionSeconds: 1))
        let raw = try RawHost(enclave)
        try raw.shakeHands(enclave)
        raw.send(try raw.seal(1, .request, raw.envelope([5])))
        #expect(raw.frame() != nil)
        #expect(eventually { enclave.handler.endings == [.expired] })
        raw.send(try raw.seal(3, .request, raw.envelope([5])))
        #expect(raw.isClosed())
        #expect(calls.count == 1)
        #expect(enclave.stop())
    }

    @Test func closesASessionWhosePeerDoesNotRead() throws {
        let path = NSTemporaryDirectory() + "alfred-test-\(hex(Random.bytes(8))).sock"
        let enclave = try TestEnclave(
            ClosureHandler { _, _, reply in reply(.success([UInt8](repeating: 1, count: 1024 * 1024))) },
            on: .unix(path: path))
        let raw = try RawHost(enclave)
        try raw.shakeHands(enclave)
        let started = MonotonicInstant.now
        raw.send(try raw.seal(1, .request, raw.envelope([5])))
        #expect(eventually(seconds: 20) { enclave.handler.endings == [.writeStalled] })
        #expect(MonotonicInstant.now.milliseconds(after: started) >= 9_000)
        #expect(enclave.stop())
    }
}
