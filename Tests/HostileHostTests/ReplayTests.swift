import EnclaveProtocol
import Foundation
import LocalStack
import Sodium
import Testing

@testable import AttestedSession

extension HostileHost {
    /// Records cannot be replayed, spliced, reordered or altered.
    @Suite struct ReplayTests {
        @Test(.timeLimit(.minutes(1))) func c8_aReplayedSplicedReorderedOrAlteredRecordEndsItsSession() async throws {
            let stage = try Stage.required()
            let other = try await stage.rawHost(.api)
            other.send(try other.request(1))
            #expect(try other.record()?.header.kind == .response)
            let attacks: [(String, (RawHost) throws -> [UInt8])] = [
                (
                    "replayed",
                    { raw in
                        let frame = try raw.request(3)
                        return frame + frame
                    }
                ),
                (
                    "replayed later",
                    { raw in
                        let frame = try raw.request(3)
                        return try frame + raw.request(5) + frame
                    }
                ),
                ("of another session", { _ in try other.request(3) }),
                (
                    "reordered",
                    { raw in
                        let first = try raw.request(3)
                        return try raw.request(5) + first
                    }
                ),
                (
                    "one left out",
                    { raw in
                        _ = try raw.request(3)
                        return try raw.request(5)
                    }
                ),
                ("header altered", { raw in try flip(4, in: raw.request(3)) }),
                ("content altered", { raw in try flip(40, in: raw.request(3)) }),
                (
                    "tag altered",
                    { raw in
                        let frame = try raw.request(3)
                        return flip(frame.count - 1, in: frame)
                    }
                ),
                (
                    "cut",
                    { raw in
                        let frame = try raw.request(3)
                        return frameLengthBytes(frame.count - 5) + frame[4..<(frame.count - 1)]
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
            }
        }

        @Test(.timeLimit(.minutes(1))) func c8_theEnclavesOwnRecordsAreNotTakenBack() async throws {
            let stage = try Stage.required()
            try await stage.withstands {
                let raw = try await stage.rawHost(.api)
                raw.send(try raw.request(1))
                raw.sendFrame(try #require(raw.frame()))
                #expect(raw.closes())
            }
        }
    }
}
