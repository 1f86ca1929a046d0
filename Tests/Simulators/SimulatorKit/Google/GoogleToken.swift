import Crypto
import Foundation
import HTTPTypes

/// `POST /token` and `POST /revoke`.
extension GoogleSimulator {
    func token(_ request: ProviderRequest) async -> ProviderResponse {
        guard let form = request.form else { return GoogleError.invalidRequest("Bad Request").response }
        await ledger.seen(.clientSecret, form["client_secret"])
        await ledger.seen(.codeVerifier, form["code_verifier"])
        await ledger.seen(.authorizationCode, form["code"])
        await ledger.seen(.refreshToken, form["refresh_token"])
        if let name = form.repeatedName {
            return GoogleError.invalidRequest("OAuth 2 parameters can only have a single value: \(name)").response
        }
        if let refusal = clientRefusal(form) { return refusal.response }
        do {
            let tokens: IssuedTokens
            switch form["grant_type"] {
            case "authorization_code": tokens = try exchange(form)
            case "refresh_token": tokens = try refresh(form)
            case let other:
                return GoogleError.oauth(.badRequest, "unsupported_grant_type", "Invalid grant_type: \(other ?? "")")
                    .response
            }
            await ledger.issued(.accessToken, tokens.accessToken)
            if let value = tokens.refreshToken { await ledger.issued(.refreshToken, value) }
            return try answer(tokens)
        } catch let refusal as ProviderRefusal {
            return refusal.response
        } catch {
            return .json(["error": "internal_failure"], status: .internalServerError)
        }
    }

    func revoke(_ request: ProviderRequest) async -> ProviderResponse {
        guard let token = request.form?["token"] ?? request.query["token"] else {
            return GoogleError.invalidRequest("Missing required parameter: token").response
        }
        await ledger.seenToken(token)
        guard book.revoke(token, at: now()) else {
            return GoogleError.oauth(.badRequest, "invalid_token", "Token expired or revoked").response
        }
        return .json([:])
    }

    private func clientRefusal(_ form: FormFields) -> GoogleError? {
        guard let id = form["client_id"] else { return .invalidRequest("Could not determine client ID from request.") }
        guard id == client.clientID else {
            return .oauth(.unauthorized, "invalid_client", "The OAuth client was not found.")
        }
        guard let secret = form["client_secret"] else { return .invalidRequest("client_secret is missing.") }
        guard client.clientSecrets.contains(secret) else {
            return .oauth(.unauthorized, "invalid_client", "The provided client secret is invalid.")
        }
        return nil
    }

    private func exchange(_ form: FormFields) throws(ProviderRefusal) -> IssuedTokens {
        guard let code = form["code"] else {
            throw ProviderRefusal(.invalidRequest("Missing required parameter: code"))
        }
        guard let redirectURI = form["redirect_uri"] else {
            throw ProviderRefusal(.invalidRequest("Missing parameter: redirect_uri"))
        }
        do throws(TokenRefusal) {
            return try book.exchange(
                code: code, redirectURI: redirectURI, verifier: form["code_verifier"], at: now(), mint: &mint)
        } catch {
            throw ProviderRefusal(GoogleError(error))
        }
    }

    private func refresh(_ form: FormFields) throws(ProviderRefusal) -> IssuedTokens {
        guard let value = form["refresh_token"] else {
            throw ProviderRefusal(.invalidRequest("Missing required parameter: refresh_token"))
        }
        do throws(TokenRefusal) {
            return try book.refresh(value, at: now(), mint: &mint)
        } catch {
            throw ProviderRefusal(GoogleError(error))
        }
    }

    private func answer(_ tokens: IssuedTokens) throws -> ProviderResponse {
        var body: [String: JSONValue] = [
            "access_token": .string(tokens.accessToken), "expires_in": .integer(mint.settings.accessTokenSeconds),
            "scope": .string(tokens.scopes.joined(separator: " ")), "token_type": "Bearer",
        ]
        body["refresh_token"] = tokens.refreshToken.map { .string($0) }
        if tokens.scopes.contains("openid") {
            body["id_token"] = .string(try idToken(for: tokens))
        }
        return .json(
            .object(body), headers: [.cacheControl: "no-cache, no-store, max-age=0, must-revalidate"])
    }

    private func idToken(for tokens: IssuedTokens) throws -> String {
        let seconds = Int(now().timeIntervalSince1970)
        let half = Array(SHA256.hash(data: Data(tokens.accessToken.utf8))).prefix(16)
        return try idTokenKey.sign([
            "iss": "https://accounts.google.com", "azp": .string(client.clientID), "aud": .string(client.clientID),
            "sub": .string(Self.subject(of: tokens.account)), "at_hash": .string(Base64URL.encode(half)),
            "iat": .integer(seconds), "exp": .integer(seconds + 3600),
        ])
    }

    /// A stable 21-digit number, as Google's subjects are.
    static func subject(of account: String) -> String {
        let digits = SHA256.hash(data: Data(account.utf8)).prefix(20).map { String($0 % 10) }
        return "1" + digits.joined()
    }
}
