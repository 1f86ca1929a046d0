import EnclaveProtocol
import Foundation
import LocalStack
import Sodium
import Testing

@testable import AttestedSession

extension HostileHost {
    /// Whatever is malformed, or never comes, ends its own connection and costs nobody else anything.
    @Suite struct MalformedInputTests {
        @Test(.timeLimit(.minutes(1))) func c9_malformedFramesBeforeASessionEndTheirConnection() async throws {
            let stage = try Stage.required()
            let challenge = HelloRequest.challenge(stage.challenge()).encoded()
            var frames: [[UInt8]] = [
                frameLengthBytes(0), frameLengthBytes(Limits.maximumPlainFrameBytes + 1), frameLengthBytes(0x7FFF_FFFF),
                frameLengthBytes(0xFFFF_FFFF), frameLengthBytes(200) + Random.bytes(200),
                Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), [0x16, 3, 1, 2, 0, 1, 0] + Random.bytes(512),
                // Nested arrays without end, a count without elements, a text that is no UTF-8.
                frameLengthBytes(1000) + [UInt8](repeating: 0x81, count: 1000),
                frameLengthBytes(9) + [0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
                frameLengthBytes(challenge.count + 1) + challenge + [0],
                frameLengthBytes(challenge.count - 1) + challenge.dropLast(),
            ]
            for index in challenge.indices.prefix(8) {
                frames.append(frameLengthBytes(challenge.count) + flip(index, bit: 0x40, in: challenge))
            }
            try await stage.withstands {
                for (index, frame) in frames.enumerated() {
                    let raw = try RawHost(stage.endpoint)
                    raw.send(frame)
                    // What is merely another challenge is answered; nothing else keeps the connection.
                    if index >= frames.count - 8, let payload = raw.frame() {
                        switch try HelloAnswer(decoding: payload) {
                        case .challenge, .refused(.overloaded): continue
                        default: break
                        }
                    }
                    #expect(raw.closes(), "frame \(index)")
                }
                // Cut off in the middle.
                let raw = try RawHost(stage.endpoint)
                raw.send(frameLengthBytes(challenge.count) + challenge.prefix(20))
                raw.endOutput()
                #expect(raw.closes())
            }
        }

        @Test(.timeLimit(.minutes(1))) func c9_malformedHandshakesGetNoSession() async throws {
            let stage = try Stage.required()
            try await stage.withstands {
                let early = try RawHost(stage.endpoint)
                #expect(try early.ask(.handshake(Random.bytes(96))) == .refused(.challengeRefused))
                #expect(early.closes())
                for message in [[], Random.bytes(95), Random.bytes(96), Random.bytes(97), Random.bytes(16_000)] {
                    let raw = try await stage.challenged()
                    #expect(try raw.ask(.handshake(message)) == .refused(.challengeRefused), "\(message.count) bytes")
                    #expect(raw.closes())
                }
                let garbage = try await stage.challenged()
                garbage.send(frameLengthBytes(50) + Random.bytes(50))
                #expect(garbage.closes())
                // After the handshake: no record, garbage, too long.
                for bytes in [frameLengthBytes(80) + Random.bytes(80), frameLengthBytes(65_536), frameLengthBytes(3)] {
                    let raw = try await stage.rawHost(.api)
                    raw.send(bytes)
                    #expect(raw.closes())
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func c9_malformedRecordsEndTheirSession() async throws {
            let stage = try Stage.required()
            let attacks: [(String, (RawHost) throws -> [UInt8])] = [
                ("length 0", { _ in frameLengthBytes(0) }), ("length 21", { _ in frameLengthBytes(21) }),
                ("length 65,536", { _ in frameLengthBytes(65_536) }),
                ("length 2 GiB", { _ in frameLengthBytes(0x7FFF_FFFF) }),
                ("garbage", { _ in frameLengthBytes(500) + Random.bytes(500) }),
                ("even call id", { raw in try raw.seal(2, .request, raw.envelope(.metrics, [0x80])) }),
                ("call id again", { raw in try raw.seal(1, .request, raw.envelope(.metrics, [0x80])) }),
                ("answer to nothing", { raw in try raw.seal(2, .response, [0x80]) }),
                ("error to nothing", { raw in try raw.seal(2, .error, EnclaveFailure(.timedOut).encoded()) }),
                ("error that is none", { raw in try raw.seal(2, .error, [0xFF]) }),
                ("cancel with a body", { raw in try raw.seal(1, .cancel, [1]) }),
                ("cancel of nothing", { raw in try raw.seal(99, .cancel, []) }),
                ("credit out of nothing", { raw in try raw.seal(0, .credit, [0, 0x40, 0, 0]) }),
                ("credit for no window", { raw in try raw.seal(7, .credit, [0, 0, 0, 0]) }),
                ("empty chunk", { raw in try raw.seal(3, .request, [], hasMore: true) }),
                (
                    "message beyond the limit",
                    { raw in
                        var bytes: [UInt8] = []
                        let chunk = [UInt8](repeating: 0, count: 60_000)
                        for _ in 0...(Limits.maximumMessageBytes / chunk.count) {
                            bytes += try raw.seal(3, .request, chunk, hasMore: true)
                        }
                        return bytes
                    }
                ),
            ]
            try await stage.withstands {
                for (name, attack) in attacks {
                    let raw = try await stage.rawHost(.api)
                    raw.send(try raw.request(1))
                    #expect(try raw.record()?.header.kind == .response, "\(name)")
                    raw.send(try attack(raw))
                    #expect(raw.closes(), "\(name)")
                }
                let cut = try await stage.rawHost(.api)
                cut.send(try cut.request(1).dropLast())
                cut.endOutput()
                #expect(cut.closes())
            }
        }

        @Test(.timeLimit(.minutes(1))) func c9_aBodyThatIsNoRequestOfItsMethodIsMalformed() async throws {
            let stage = try Stage.required()
            let ada = Person()
            try await stage.withstands {
                var sessions: [Role: Session] = [:]
                for role in Role.allCases { sessions[role] = try await stage.session(role) }
                for method in Method.allCases where !method.isCallback {
                    let session = try #require(method.roles.compactMap { sessions[$0] }.first)
                    let good = RoleTests.request(method, ada).encoded()
                    var bodies: [[UInt8]] = [
                        [], [0xFF], [0xF6], [0x9B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
                        [UInt8](repeating: 0x81, count: 5000), Random.bytes(1000), good + [0],
                        [0x9F] + good.dropFirst(),
                    ]
                    for length in good.indices { bodies.append(Array(good.prefix(length))) }
                    for body in bodies {
                        #expect(
                            Outcome(await session.send(method, body)) == .refused(.malformedRequest),
                            "\(method.name): \(Hex.encode(Array(body.prefix(40))))")
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func c9_aStalledHandshakeIsClosedAfterFiveSeconds() async throws {
            let stage = try Stage.required()
            let confirming = try await stage.rawHost(.api)
            let challenged = try await stage.challenged()
            let halfFrame = try RawHost(stage.endpoint)
            halfFrame.send(frameLengthBytes(100) + [0x83])
            let silent = try RawHost(stage.endpoint)
            let started = MonotonicInstant.now
            for (raw, name) in [
                (silent, "silent"), (halfFrame, "half"), (challenged, "challenged"), (confirming, "no record"),
            ] {
                #expect(raw.closes(before: started.advanced(bySeconds: 7)), "\(name)")
            }
            let milliseconds = MonotonicInstant.now.milliseconds(after: started)
            #expect((4500...6500).contains(milliseconds), "closed after \(milliseconds) ms")
            try await stage.serveOther()
        }

        @Test(.timeLimit(.minutes(1))) func c9_tenThousandHalfOpenConnectionsDoNotDisturbASession() async throws {
            let stage = try Stage.required()
            let good = try await stage.session(.api)
            let wanted = 10_000
            let count = min(wanted, RawHost.raiseDescriptorLimit() - 1000)
            if count < wanted {
                print("note: \(count) half-open connections instead of \(wanted), for the limit on open files")
            }
            let item = DataItem(purpose: .jobPayload, user: UserID(UUID()), recordID: "row", content: [1, 2, 3])
            try await stage.withstands {
                var raws: [RawHost] = []
                for index in 0..<count {
                    let raw = try RawHost(stage.endpoint)
                    if index % 2 == 0 { raw.send(frameLengthBytes(16_000) + [UInt8](repeating: 0x83, count: 8_000)) }
                    raws.append(raw)
                    if index % 500 == 0 { _ = try await good.seal(item) }
                }
                _ = try await good.seal(item)
                let pending = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(stage.enclave.pid)/fd").count
                #expect(pending < Limits.maximumPendingConnections + 200, "\(pending) descriptors")
                try await stage.serveOther()
            }
        }
    }
}

extension Stage {
    /// A connection whose challenge for a session was answered.
    func challenged() async throws -> RawHost {
        try await whenNotOverloaded {
            let raw = try RawHost(self.endpoint)
            switch try raw.ask(.challenge(self.challenge())) {
            case .challenge: return raw
            case .refused(let code): throw SessionError.refused(code)
            default: throw SessionError.malformed
            }
        }
    }
}

extension RawHost {
    /// As many open files as this process may have.
    static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 20_000)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(limit.rlim_cur)
    }
}
