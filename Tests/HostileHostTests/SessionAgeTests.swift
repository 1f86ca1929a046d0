import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Testing

@testable import AttestedSession

extension ShortLivedSessions {
    /// A session ends at its age, whatever its host thinks of that.
    @Suite struct SessionAgeTests {
        @Test(.timeLimit(.minutes(1))) func c16_aSessionBeyondItsAgeTakesNoCallButFinishesThoseUnderWay() async throws {
            let stage = try Stage.required()
            let started = MonotonicInstant.now
            let old = try await stage.rawHost(.api).ageless(stage.records)
            let ada = try await stage.connect(over: old)
            try await stage.control.setFault(Fault(.calendarEvents, latencyMilliseconds: 10_000, times: 1))
            async let underWay = old.outcome(.googleGet, ada.read)
            let item = DataItem(purpose: .jobPayload, user: UserID(UUID()), recordID: "row", content: [1])
            // Two seconds of life, and the grace for calls that cross its end.
            let milliseconds = try await eventually("a call that is refused", within: .seconds(9)) { () -> Int? in
                let outcome = await old.outcome(.dataSeal, DataItems([item]))
                if outcome == .answered { return nil }
                #expect(outcome == .refused(.sessionRequired))
                return MonotonicInstant.now.milliseconds(after: started)
            }
            #expect((2000...7800).contains(milliseconds), "refused after \(milliseconds) ms")
            #expect(await old.outcome(.googleGet, ada.read) == .refused(.sessionRequired))
            #expect(await underWay == .answered, "with its callbacks and all")
            _ = try await eventually("the end of the old session") { old.isOpen ? nil : true }
            #expect(await old.outcome(.dataSeal, DataItems([item])) == .failed(.sessionEnded))
            try await stage.serveOther()
        }

        @Test(.timeLimit(.minutes(1))) func c16_anHonestHostStopsByItselfAtTheAgeThatTheEnclaveStates() async throws {
            let stage = try Stage.required()
            let session = try await stage.session(.api)
            #expect(session.expiresAt <= soon(2))
            let item = DataItem(purpose: .jobPayload, user: UserID(UUID()), recordID: "row", content: [1])
            #expect(await session.outcome(.dataSeal, DataItems([item])) == .answered)
            _ = try await eventually("the end of the session") { session.acceptsCalls ? nil : true }
            #expect(
                [.failed(.sessionExpired), .failed(.sessionEnded)]
                    .contains(await session.outcome(.dataSeal, DataItems([item]))))
            try await stage.serveOther()
        }
    }
}
