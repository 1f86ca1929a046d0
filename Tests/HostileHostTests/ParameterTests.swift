import AttestedSession
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Testing

extension HostileHost {
    /// Google is asked for nothing but the allow-list, and nowhere else.
    @Suite struct ParameterTests {
        @Test(.timeLimit(.minutes(1))) func c17_parametersOutOfRuleNeverReachGoogle() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let calls = try await stage.control.calls()
            try await stage.withstands {
                for resource in Self.forbidden {
                    let outcome = await api.outcome(
                        .googleGet, GoogleGet(reference: ada.reference, resource: resource))
                    #expect(
                        [.refused(.parameterRefused), .refused(.malformedRequest)].contains(outcome), "\(resource)")
                }
                // A resource that no list has, and one with a parameter too many.
                var writer = CBORWriter()
                writer.array(2)
                ada.reference.write(to: &writer)
                for resource: [UInt8] in [
                    [0x82, 4, 0x61, 0x61], [0x83, 3, 0x61, 0x61, 0x61, 0x62], [0x81, 3], [0x80],
                ] {
                    #expect(
                        Outcome(await api.send(.googleGet, writer.bytes + resource)) == .refused(.malformedRequest))
                }
            }
            #expect(try await stage.control.calls() == calls, "Google heard nothing of it")
            #expect(await api.outcome(.googleGet, ada.read) == .answered)
        }

        @Test(.timeLimit(.minutes(1)), arguments: [301, 302, 303, 307, 308])
        func c17_aRedirectOfGoogleIsAFailure(_ status: Int) async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let calls = try await stage.control.calls().reduce(0) { $0 + $1.arrived }
            try await stage.control.setFault(Fault(.calendarEvents, effect: .status(code: status), times: 1))
            #expect(await api.outcome(.googleGet, ada.read) == .refused(.providerFailed))
            #expect(try await stage.control.calls().reduce(0) { $0 + $1.arrived } == calls + 1, "not followed")
            try await stage.serveOther()
        }

        @Test(.timeLimit(.minutes(1))) func c17_consentComesBackToTheConfiguredAddressOnly() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let good = stage.environment.redirectURI
            try await stage.withstands {
                for address in [
                    "https://thief.example/callback", good + "/", good + "?a=b", good.uppercased(), "", good + "\n",
                    "alfred://oauth/google/callback",
                ] {
                    let begin = GoogleConnectBegin(
                        user: UserID(UUID()), stateID: OAuthStateID(UUID()), redirectURI: address, state: "state")
                    #expect(
                        await api.outcome(.googleConnectBegin, begin) == .refused(.redirectURIMismatch), "\(address)")
                }
            }
        }

        private static let forbidden: [GoogleResource] =
            [
                ("2026-11-25T08:00:00Z", "2026-12-03T08:00:01Z"), ("2026-11-25T08:00:00Z", "2026-11-25T08:00:00Z"),
                ("2026-11-25T09:00:00Z", "2026-11-25T08:00:00Z"), ("2026-11-25T08:00:00+01:00", "2026-11-25T09:00:00Z"),
                ("2026-11-25", "2026-11-26"), ("", ""), ("2026-02-30T08:00:00Z", "2026-03-01T08:00:00Z"),
                ("2026-11-25T08:00:00Z&q=x", "2026-11-25T09:00:00Z"), ("2026-11-25T08:00:00z", "2026-11-25T09:00:00Z"),
                ("2026-11-25T24:00:00Z", "2026-11-26T09:00:00Z"), ("２026-11-25T08:00:00Z", "2026-11-25T09:00:00Z"),
            ].map { .calendarEvents(timeMin: $0.0, timeMax: $0.1, maxResults: 10, pageToken: nil) }
            + [0, 51, 255].flatMap { (count: UInt8) -> [GoogleResource] in
                [
                    .calendarEvents(
                        timeMin: "2026-11-25T08:00:00Z", timeMax: "2026-11-25T09:00:00Z", maxResults: count,
                        pageToken: nil),
                    .gmailMessages(newerThanDays: 1, unread: true, maxResults: count),
                ]
            }
            + ["", "a b", "a&b=c", "a%20b", "a\r\nHost: x", "ä", "a#b", String(repeating: "a", count: 1025)].map {
                .calendarEvents(
                    timeMin: "2026-11-25T08:00:00Z", timeMax: "2026-11-25T09:00:00Z", maxResults: 10, pageToken: $0)
            }
            + [0, 8, 255].map { .gmailMessages(newerThanDays: $0, unread: false, maxResults: 10) }
            + [
                "", "..", "../../../oauth2/v2/userinfo", "a/b", "a?format=full", "a%2Fb", "a b", "a\n", "ä", "a.b",
                String(repeating: "a", count: 65),
            ].map { .gmailMetadata(id: $0) }
    }
}
