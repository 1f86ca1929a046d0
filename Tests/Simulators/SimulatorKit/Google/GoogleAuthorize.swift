import Foundation
import HTTPTypes

/// The consent page: `GET /o/oauth2/v2/auth`.
extension GoogleSimulator {
    /// Scopes that the simulated project has registered.
    static let knownScopes: Set<String> = [
        "openid", "email", "profile", GoogleScope.gmailReadOnly, GoogleScope.calendarReadOnly,
        "https://www.googleapis.com/auth/gmail.metadata", "https://www.googleapis.com/auth/calendar.events.readonly",
    ]

    func authorize(_ request: ProviderRequest) async -> ProviderResponse {
        let query = request.query
        guard query.repeatedName == nil else { return page(400, "invalid_request", "Repeated parameter") }
        guard let clientID = query["client_id"] else {
            return page(400, "invalid_request", "Missing required parameter: client_id")
        }
        guard clientID == client.clientID else { return page(401, "invalid_client", "The OAuth client was not found.") }
        guard let redirectURI = query["redirect_uri"], client.redirectURIs.contains(redirectURI) else {
            return page(400, "redirect_uri_mismatch", "The redirect URI does not match one of the client's.")
        }
        guard query["response_type"] == "code" else {
            return page(400, "invalid_request", "Missing or unsupported parameter: response_type")
        }
        let scopes = (query["scope"] ?? "").split(separator: " ").map(String.init)
        guard !scopes.isEmpty else { return page(400, "invalid_request", "Missing required parameter: scope") }
        guard Self.knownScopes.isSuperset(of: scopes) else {
            return page(400, "invalid_scope", "Some requested scopes were invalid.")
        }
        guard let challenge = query["code_challenge"], challenge.utf8.count == 43,
            Base64URL.decode(challenge)?.count == 32, query["code_challenge_method"] == "S256"
        else { return page(400, "invalid_request", "Parameter code_challenge or code_challenge_method is wrong.") }
        guard let state = query["state"] else {
            return page(400, "invalid_request", "This client always sends a state, and this request has none.")
        }
        guard let policy = policy(for: request) else { return consentPage(request, scopes) }
        guard policy.decision == .approve else {
            return redirect(to: redirectURI, [("error", "access_denied"), ("state", state)])
        }
        let granted = scopes.filter { $0 == "openid" || policy.scopes?.contains($0) ?? true }
        return await approve(query, policy.account, granted, redirectURI, challenge, state)
    }

    private func approve(
        _ query: FormFields, _ account: String, _ scopes: [String], _ redirectURI: String, _ challenge: String,
        _ state: String
    ) async -> ProviderResponse {
        let asked = query["prompt"]?.split(separator: " ").contains("consent") ?? false
        let offline = query["access_type"] == "offline" && (asked || !knownAccounts.contains(account))
        knownAccounts.insert(account)
        let code = mint.code()
        let consent = Consent(
            account: account, scopes: scopes, redirectURI: redirectURI, challenge: challenge, offline: offline)
        book.add(consent, code: code, at: now())
        await ledger.issued(.authorizationCode, code)
        return redirect(
            to: redirectURI, [("state", state), ("code", code), ("scope", scopes.joined(separator: " "))])
    }

    /// The control API's policy, unless this request carries one of its own.
    private func policy(for request: ProviderRequest) -> ConsentPolicy? {
        let account =
            request.query["simulator_account"]
            ?? HTTPField.Name("x-simulator-account").flatMap {
                request.headers[$0]
            }
        let decision =
            request.query["simulator_decision"]
            ?? HTTPField.Name("x-simulator-decision").flatMap {
                request.headers[$0]
            }
        guard let account else { return consent }
        return ConsentPolicy(account: account, decision: decision == "deny" ? .deny : .approve)
    }

    private func redirect(to uri: String, _ fields: [(String, String)]) -> ProviderResponse {
        let query = fields.map { "\($0.0)=\(FormFields.encode($0.1))" }.joined(separator: "&")
        return .redirect(to: uri + (uri.contains("?") ? "&" : "?") + query)
    }

    private func page(_ status: Int, _ error: String, _ text: String) -> ProviderResponse {
        .html(
            "<!doctype html><title>Error \(status): \(error)</title><h1>Error \(status): \(error)</h1><p>\(text)</p>\n",
            status: .init(code: status))
    }

    /// For a person in a browser: a link for each account that is known, to allow or to refuse.
    private func consentPage(_ request: ProviderRequest, _ scopes: [String]) -> ProviderResponse {
        let names = accounts.isEmpty ? ["ada@example.com"] : accounts.keys.sorted()
        let links = names.map { name in
            let target = "?\(request.rawQuery)&simulator_account=\(FormFields.encode(name))"
                .replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "\"", with: "%22")
            let shown = name.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            return "<li>\(shown): <a href=\"\(target)\">allow</a> "
                + "<a href=\"\(target)&amp;simulator_decision=deny\">refuse</a></li>"
        }
        return .html(
            "<!doctype html><title>Simulated Google</title><h1>Choose an account</h1><p>Asked for: "
                + scopes.joined(separator: ", ") + "</p><ul>" + links.joined() + "</ul>\n")
    }
}

/// The scopes that open the two APIs.
enum GoogleScope {
    static let gmailReadOnly = "https://www.googleapis.com/auth/gmail.readonly"
    static let calendarReadOnly = "https://www.googleapis.com/auth/calendar.readonly"
}
