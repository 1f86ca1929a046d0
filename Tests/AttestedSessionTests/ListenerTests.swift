import EnclaveProtocol
import Foundation
import Sodium
import Testing

@testable import AttestedSession

/// Everything before a session.
struct ListenerTests {
    @Test func answersHealthAndRefusesTheDocumentWithItsOwnError() throws {
        let enclave = try TestEnclave()
        let connection = try enclave.connect()
        #expect(try connection.health(deadline: soon()) == enclave.plain.health())
        #expect(throws: SessionError.refused(.overloaded)) { try connection.document(deadline: soon()) }
        #expect(try connection.health(deadline: soon()).status == .ok)
        #expect(enclave.stop())
    }

    @Test func answersTheChallengeAsItCame() throws {
        let enclave = try TestEnclave()
        let challenge = enclave.challenge("startup_probe")
        let answer = try enclave.connect().challenge(challenge, deadline: soon())
        #expect(try Evidence(decoding: answer.evidence).challenge == challenge)
        #expect(enclave.stop())
    }

    @Test func closesOnAnythingThatIsNoHello() throws {
        let enclave = try TestEnclave()
        let other = try enclave.session()
        for bytes in [
            frameLengthBytes(0), frameLengthBytes(Limits.maximumPlainFrameBytes + 1), frameLengthBytes(0x7FFF_FFFF),
            frameLengthBytes(100) + Random.bytes(100), Array("GET / HTTP/1.1\r\n\r\n".utf8),
            // Version 2, unknown kind, a body where there is none, trailing bytes.
            frameLengthBytes(4) + [0x83, 2, 1, 0xF6], frameLengthBytes(4) + [0x83, 1, 9, 0xF6],
            frameLengthBytes(4) + [0x83, 1, 1, 1], frameLengthBytes(5) + [0x83, 1, 1, 0xF6, 0],
        ] {
            let raw = try RawHost(enclave)
            raw.send(bytes)
            #expect(raw.isClosed())
        }
        let truncated = try RawHost(enclave)
        truncated.send(frameLengthBytes(100) + [0x83])
        shutdown(truncated.socket, Int32(SHUT_WR))
        #expect(truncated.isClosed())
        #expect(try other.callAndWait(call([1])) == [1])
        #expect(enclave.stop())
    }

    @Test func closesAStalledHandshakeAtEachPhase() throws {
        let enclave = try TestEnclave(limits: ListenerLimits(handshakeSeconds: 1, challengesPerSecond: 1000))
        let silent = try RawHost(enclave)
        let halfFrame = try RawHost(enclave)
        halfFrame.send(frameLengthBytes(100) + [0x83])
        let challenged = try RawHost(enclave)
        _ = try challenged.ask(.challenge(enclave.challenge()))
        let confirming = try RawHost(enclave)
        try confirming.shakeHands(enclave)
        for raw in [silent, halfFrame, challenged, confirming] { #expect(raw.isClosed(seconds: 3)) }
        #expect(enclave.listener.sessions.isEmpty)
        #expect(enclave.stop())
    }

    @Test func refusesAHostKeyThatIsNotOnTheList() throws {
        let enclave = try TestEnclave()
        #expect(throws: SessionError.refused(.roleNotAllowed)) { try enclave.session(as: X25519.PrivateKey()) }
        #expect(enclave.listener.sessions.isEmpty)
        #expect(enclave.stop())
    }

    @Test func refusesAnotherEnclaveKeyThanItsOwn() throws {
        let enclave = try TestEnclave()
        let connection = try enclave.connect()
        _ = try connection.challenge(enclave.challenge(), deadline: soon())
        #expect(throws: SessionError.refused(.challengeRefused)) {
            try connection.openSession(
                hostKey: enclave.apiKey, enclaveKey: X25519.PrivateKey().publicKey, handler: RefusingHandler(),
                maximumAge: 60, deadline: soon())
        }
        #expect(enclave.stop())
    }

    @Test func refusesAnAlteredOrLongerMessageOne() throws {
        let enclave = try TestEnclave()
        for change: (inout [UInt8]) -> Void in [
            { $0[40] ^= 1 }, { $0[95] ^= 1 }, { $0.append(0) }, { $0.removeLast() },
            { $0.replaceSubrange(0..<32, with: [UInt8](repeating: 0, count: 32)) },
        ] {
            let raw = try RawHost(enclave)
            #expect(throws: SessionError.refused(.challengeRefused)) {
                try raw.shakeHands(enclave, enclave.apiKey, change: change)
            }
            #expect(raw.isClosed())
        }
        #expect(enclave.stop())
    }

    @Test func allowsOneHandshakeAfterOneChallenge() throws {
        let enclave = try TestEnclave()
        let early = try RawHost(enclave)
        #expect(try early.ask(.handshake([UInt8](repeating: 1, count: 96))) == .refused(.challengeRefused))
        #expect(early.isClosed())
        let twice = try RawHost(enclave)
        _ = try twice.ask(.challenge(enclave.challenge()))
        #expect(try twice.ask(.challenge(enclave.challenge())) == .refused(.challengeRefused))
        #expect(twice.isClosed())
        // A probe's challenge opens no session.
        let probe = try RawHost(enclave)
        _ = try probe.ask(.challenge(enclave.challenge("startup_probe")))
        #expect(try probe.ask(.handshake([UInt8](repeating: 1, count: 96))) == .refused(.challengeRefused))
        #expect(enclave.stop())
    }

    @Test func countsASessionOnlyAfterItsFirstValidRecord() throws {
        let enclave = try TestEnclave()
        let raw = try RawHost(enclave)
        try raw.shakeHands(enclave)
        #expect(enclave.listener.sessions.isEmpty)
        raw.sendFrame(Random.bytes(64))
        #expect(raw.isClosed())
        #expect(enclave.listener.sessions.isEmpty && enclave.handler.endings.isEmpty)
        let oversize = try RawHost(enclave)
        try oversize.shakeHands(enclave)
        oversize.send(frameLengthBytes(65_536))
        #expect(oversize.isClosed())
        #expect(enclave.stop())
    }

    @Test func refusesAMessageOneFromAnotherConnection() throws {
        let enclave = try TestEnclave()
        let overheard = Collected<[UInt8]>()
        try RawHost(enclave).shakeHands(enclave, enclave.apiKey) { overheard.add($0) }
        let message = try #require(overheard.all.first)
        let raw = try RawHost(enclave)
        _ = try raw.ask(.challenge(enclave.challenge()))
        #expect(try raw.ask(.handshake(message)) == .refused(.challengeRefused))
        #expect(enclave.stop())
    }

    @Test func keepsAQuarterOfTheSessionsForTheOtherRole() throws {
        let enclave = try TestEnclave(limits: ListenerLimits(maximumSessions: 8, challengesPerSecond: 1000))
        var sessions: [Session] = []
        for count in 1...6 {
            sessions.append(try enclave.session())
            #expect(eventually { enclave.listener.sessions.count == count })
        }
        #expect(throws: SessionError.refused(.overloaded)) { try enclave.session() }
        for count in 7...8 {
            sessions.append(try enclave.session(as: enclave.workerKey))
            #expect(eventually { enclave.listener.sessions.count == count })
        }
        #expect(throws: SessionError.refused(.overloaded)) { try enclave.session(as: enclave.workerKey) }
        sessions[0].close()
        #expect(eventually { enclave.listener.sessions.count == 7 })
        #expect(try enclave.session().callAndWait(call([1])) == [1])
        #expect(enclave.stop())
    }

    @Test func keepsNoDescriptorOfASessionThatFoundNoRoom() throws {
        let enclave = try TestEnclave(limits: ListenerLimits(maximumSessions: 1, challengesPerSecond: 1000))
        // All of them find room when they shake hands, and one when they confirm.
        let raws = try (0..<150).map { _ in try RawHost(enclave) }
        for raw in raws { try raw.shakeHands(enclave) }
        let before = eventDescriptors()
        for raw in raws { raw.send(try raw.seal(0, .credit, [0, 0, 0, 0])) }
        #expect(raws.count { $0.isClosed(seconds: 1) } == raws.count - 1)
        // Other tests make and close some at the same time.
        #expect(eventually { eventDescriptors() - before < 75 })
        #expect(enclave.stop())
    }

    private func eventDescriptors() -> Int {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return files.count { file in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(file)")
            return target?.contains("eventfd") == true
        }
    }

    @Test func keepsHalfOfTheChallengesForSessions() {
        let start = MonotonicInstant(nanoseconds: 1_000_000_000)
        var budget = ChallengeBudget(perSecond: 20, now: start)
        let probes = (0..<30).count { _ in budget.take(isForSession: false, now: start) }
        let sessions = (0..<30).count { _ in budget.take(isForSession: true, now: start) }
        #expect(probes == 10 && sessions == 10)
        let afterHalfASecond = start.advanced(byMilliseconds: 500)
        let refilled = (0..<30).count { _ in budget.take(isForSession: true, now: afterHalfASecond) }
        #expect(refilled == 10)
    }

    @Test func livesThroughThousandsOfHalfOpenConnections() throws {
        // 10,000 where the limit on open files allows; this process holds both ends.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 20_000)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let count = min(10_000, Int(limit.rlim_cur) - 1_500)
        let enclave = try TestEnclave()
        let session = try enclave.session()
        let before = residentBytes()
        var raws: [RawHost] = []
        for index in 0..<count {
            let raw = try RawHost(enclave)
            if index % 2 == 0 { raw.send(frameLengthBytes(16_000) + [UInt8](repeating: 0x83, count: 8_000)) }
            raws.append(raw)
            if index % 1000 == 0 { #expect(try session.callAndWait(call([1])) == [1]) }
        }
        #expect(try session.callAndWait(call([2])) == [2])
        #expect(try enclave.session().callAndWait(call([3])) == [3])
        #expect(residentBytes() - before < 64 * 1024 * 1024)
        raws = []
        #expect(enclave.stop())
    }

    private func residentBytes() -> Int {
        let statistics = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let words = statistics.split(separator: " ")
        return (words.count > 1 ? Int(words[1]) ?? 0 : 0) * 4096
    }
}
