import Crypto
import Foundation

/// How refresh tokens rotate.
public enum RefreshRotation: String, Codable, Sendable, Hashable, CaseIterable {
    /// A refresh answers no new refresh token, as Google does today.
    case none
    /// Each refresh answers a new one; the one before stays good until the new one is used.
    case grace
    /// Each refresh answers a new one; the one before is dead at once.
    case strict
}

/// Why a token request is refused.
enum TokenRefusal: Error, Equatable {
    case malformedCode, spentCode, expiredCode, otherRedirectURI, missingVerifier, wrongVerifier, deadRefreshToken
}

/// What a person consented to, waiting behind a code.
struct Consent: Sendable, Equatable {
    var account: String
    var scopes: [String]
    var redirectURI: String
    var challenge: String
    /// Whether a refresh token comes with the exchange.
    var offline: Bool
}

/// Tokens that answer an exchange or a refresh.
struct IssuedTokens: Sendable, Equatable {
    var account: String
    var scopes: [String]
    var accessToken: String
    var refreshToken: String?
}

/// Grants, codes and tokens as an authorisation server keeps them; time and new values come in as parameters.
///
/// A grant is one account's consent and ends as a whole when any of its tokens is revoked. Each exchanged code starts
/// a family of tokens inside the grant; presenting the code again ends that family (RFC 6749, 4.1.2).
struct GrantBook: Sendable {
    /// Seconds a code is good for.
    static let codeSeconds = 600.0
    /// Live refresh tokens of one account; as at Google the oldest dies silently beyond that.
    static let maximumRefreshTokens = 100

    /// Access tokens kept before the expired ones are thrown out.
    static let pruneAccessTokens = 10_000

    struct Code: Sendable {
        var consent: Consent
        var issuedAt: Date
        var family: Int?
    }
    struct Family: Sendable {
        var account: String
        var grant: Int
        var scopes: [String]
        var ended = false
    }
    struct RefreshToken: Sendable {
        var family: Int
        var predecessor: String?
    }
    struct AccessToken: Sendable {
        var family: Int
        var expiresAt: Date
    }

    var rotation = RefreshRotation.none
    private(set) var codes: [String: Code] = [:]
    private(set) var families: [Family] = []
    private(set) var refreshTokens: [String: RefreshToken] = [:]
    private(set) var accessTokens: [String: AccessToken] = [:]
    /// Of each account, oldest first.
    private var refreshOrder: [String: [String]] = [:]
    private var grants: [(account: String, revoked: Bool)] = []

    mutating func add(_ consent: Consent, code: String, at now: Date) {
        codes = codes.filter { $0.value.issuedAt.addingTimeInterval(24 * 3600) > now }
        codes[code] = Code(consent: consent, issuedAt: now)
    }

    mutating func exchange(
        code: String, redirectURI: String, verifier: String?, at now: Date, mint: inout TokenMint
    ) throws(TokenRefusal) -> IssuedTokens {
        guard let known = codes[code] else { throw .malformedCode }
        if let family = known.family {
            families[family].ended = true
            throw .spentCode
        }
        guard now < known.issuedAt.addingTimeInterval(Self.codeSeconds) else { throw .expiredCode }
        guard redirectURI == known.consent.redirectURI else { throw .otherRedirectURI }
        guard let verifier else { throw .missingVerifier }
        guard Base64URL.encode(SHA256.hash(data: Data(verifier.utf8))) == known.consent.challenge else {
            throw .wrongVerifier
        }
        let family = startFamily(known.consent)
        codes[code]?.family = family
        let refreshToken = known.consent.offline ? addRefreshToken(mint.refreshToken(), family, after: nil) : nil
        return tokens(of: family, refreshToken, at: now, mint: &mint)
    }

    mutating func refresh(
        _ value: String, at now: Date, mint: inout TokenMint
    ) throws(TokenRefusal) -> IssuedTokens {
        guard let token = refreshTokens[value], isLive(token.family) else { throw .deadRefreshToken }
        if let predecessor = token.predecessor {
            retire(predecessor, except: value)
        }
        guard rotation != .none else { return tokens(of: token.family, nil, at: now, mint: &mint) }
        if rotation == .strict { refreshTokens[value] = nil }
        let successor = addRefreshToken(mint.refreshToken(), token.family, after: value)
        return tokens(of: token.family, successor, at: now, mint: &mint)
    }

    /// Ends the grant a refresh or access token belongs to; false when the token is not live.
    mutating func revoke(_ value: String, at now: Date) -> Bool {
        let family: Int
        if let token = refreshTokens[value] {
            family = token.family
        } else if let token = accessTokens[value], token.expiresAt > now {
            family = token.family
        } else {
            return false
        }
        guard isLive(family) else { return false }
        grants[families[family].grant].revoked = true
        return true
    }

    /// Account and scopes of a live access token.
    func bearer(_ value: String, at now: Date) -> (account: String, scopes: [String])? {
        guard let token = accessTokens[value], token.expiresAt > now, isLive(token.family) else { return nil }
        let family = families[token.family]
        return (family.account, family.scopes)
    }

    /// Whether a refresh token would be taken now.
    func isLive(refreshToken value: String) -> Bool {
        guard let token = refreshTokens[value] else { return false }
        return isLive(token.family)
    }

    func state(of account: String) -> GrantState {
        guard let grant = grants.last(where: { $0.account == account }) else { return .none }
        return grant.revoked ? .revoked : .active
    }

    /// Live refresh tokens of an account, oldest first.
    func liveRefreshTokens(of account: String) -> [String] {
        refreshOrder[account, default: []].filter { isLive(refreshToken: $0) }
    }

    /// The person takes the consent back on Google's own page.
    mutating func withdrawConsent(of account: String) {
        for index in grants.indices where grants[index].account == account { grants[index].revoked = true }
    }

    mutating func expireAccessTokens(of account: String?) {
        accessTokens = accessTokens.filter { account != nil && families[$0.value.family].account != account }
    }

    private func isLive(_ family: Int) -> Bool {
        !families[family].ended && !grants[families[family].grant].revoked
    }

    private mutating func startFamily(_ consent: Consent) -> Int {
        let live = grants.lastIndex { $0.account == consent.account && !$0.revoked }
        let grant = live ?? grants.count
        if live == nil { grants.append((consent.account, false)) }
        families.append(Family(account: consent.account, grant: grant, scopes: consent.scopes))
        return families.count - 1
    }

    /// `value` is being used: the token it replaced and that one's other successors end.
    private mutating func retire(_ predecessor: String, except value: String) {
        refreshTokens[predecessor] = nil
        refreshTokens = refreshTokens.filter { $0.value.predecessor != predecessor || $0.key == value }
        refreshTokens[value]?.predecessor = nil
    }

    private mutating func addRefreshToken(_ value: String, _ family: Int, after predecessor: String?) -> String {
        refreshTokens[value] = RefreshToken(family: family, predecessor: predecessor)
        let account = families[family].account
        refreshOrder[account]?.removeAll { refreshTokens[$0] == nil }
        refreshOrder[account, default: []].append(value)
        let live = liveRefreshTokens(of: account)
        if live.count > Self.maximumRefreshTokens, let oldest = live.first { refreshTokens[oldest] = nil }
        return value
    }

    private mutating func tokens(
        of family: Int, _ refreshToken: String?, at now: Date, mint: inout TokenMint
    ) -> IssuedTokens {
        if accessTokens.count > Self.pruneAccessTokens {
            accessTokens = accessTokens.filter { $0.value.expiresAt > now }
        }
        let value = mint.accessToken()
        accessTokens[value] = AccessToken(
            family: family, expiresAt: now.addingTimeInterval(Double(mint.settings.accessTokenSeconds)))
        return IssuedTokens(
            account: families[family].account, scopes: families[family].scopes, accessToken: value,
            refreshToken: refreshToken)
    }
}
