import HTTPTypes
import HostRuntime
import Testing

@testable import APIServer

@Suite struct OAuthBridgeTests {
    private func location(_ query: String?) -> String? {
        let call = APICall(
            requestID: .new(), trace: .new(), log: LineBuffer().log(), parameters: [:], query: query, body: .none,
            idempotencyKey: nil)
        let answer = OAuthBridge().redirect(call)
        #expect(answer.status == .seeOther)
        #expect(answer.headers[.referrerPolicy] == "no-referrer")
        #expect(answer.body.isEmpty)
        return answer.headers[.location]
    }

    @Test func copiesTheKnownFieldsInOrder() {
        #expect(
            location("scope=a+b&state=st_1&code=4%2F0Ab%26&junk=1")
                == "alfred://oauth/google/callback?code=4%2F0Ab%26&state=st_1&scope=a+b")
    }

    @Test func takesTheFirstOccurrence() {
        #expect(location("error=access_denied&error=x") == "alfred://oauth/google/callback?error=access_denied")
    }

    @Test func dropsWhatIsTooLongOrNotText() {
        let long = String(repeating: "a", count: 2049)
        #expect(location("code=\(long)&state=s") == "alfred://oauth/google/callback?state=s")
        #expect(location("code=%ff&state=s") == "alfred://oauth/google/callback?state=s")
        #expect(location(nil) == "alfred://oauth/google/callback?")
    }

    @Test func cannotInjectAHeaderOrAnotherField() {
        #expect(
            location("code=a%0d%0aX:%20y%26state=z")
                == "alfred://oauth/google/callback?code=a%0D%0AX%3A+y%26state%3Dz")
    }
}
