import EnclaveProtocol
import Foundation
import Sodium
import Synchronization

@testable import EnclaveRuntime

/// Google as a script: what each endpoint answers is a closure, what was asked is kept.
final class ScriptedGoogle: Provider {
    typealias Answer = (status: Int, body: String)

    struct State {
        /// Forms posted to the token endpoint.
        var tokenForms: [[String: String]] = []
        /// Tokens posted to the revocation endpoint.
        var revoked: [String] = []
        /// Targets read, and the bearer used.
        var reads: [(target: String, bearer: String)] = []
        var onToken: @Sendable ([String: String]) throws(ProviderFault) -> Answer = { _ in (503, "") }
        var onRevoke: @Sendable (String) throws(ProviderFault) -> Answer = { _ in (200, "{}") }
        var onRead: @Sendable (String) throws(ProviderFault) -> PublicReply = { _ in
            PublicReply(status: 200, retryAfterSeconds: nil, body: Array("{}".utf8))
        }
    }

    let state = Mutex(State())

    func post(
        _ url: ProviderURL, form: borrowing SecretBuffer, milliseconds: Int
    ) throws(ProviderFault) -> SecretReply {
        let fields = unsafe form.withUnsafeBytes { unsafe Self.parse(String(decoding: $0, as: UTF8.self)) }
        let answer: Answer
        if url.path == "/revoke" {
            let token = fields["token"] ?? ""
            let respond = state.withLock { state in
                state.revoked.append(token)
                return state.onRevoke
            }
            answer = try respond(token)
        } else {
            let respond = state.withLock { state in
                state.tokenForms.append(fields)
                return state.onToken
            }
            answer = try respond(fields)
        }
        return SecretReply(status: answer.status, retryAfterSeconds: nil, body: secretBuffer(answer.body))
    }

    func get(
        _ base: ProviderURL, target: String, bearer: borrowing SecretBytes, milliseconds: Int
    ) throws(ProviderFault) -> PublicReply {
        let token = text(bearer)
        let respond = state.withLock { state in
            state.reads.append((target, token))
            return state.onRead
        }
        return try respond(token)
    }

    /// Answers every refresh with an access token of its own, and rotates when `rotated` gives a token.
    func issueTokens(rotated: @escaping @Sendable (String) -> String? = { _ in nil }) {
        state.withLock { state in
            state.onToken = { form in
                let used = form["refresh_token"] ?? ""
                let next = rotated(used).map { #","refresh_token":"\#($0)""# } ?? ""
                return (200, #"{"access_token":"access-of-\#(used)","expires_in":3600\#(next)}"#)
            }
        }
    }

    var refreshes: [String] { state.withLock { $0.tokenForms.compactMap { $0["refresh_token"] } } }

    private static func parse(_ form: String) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in form.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
            fields[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return fields
    }
}
