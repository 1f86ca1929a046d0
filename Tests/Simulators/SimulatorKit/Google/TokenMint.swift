/// How the values of new tokens look; tests plant recognisable ones here.
public struct TokenSettings: Codable, Sendable, Hashable {
    /// What every new refresh token begins with.
    public var refreshTokenPrefix: String
    /// What every new access token begins with.
    public var accessTokenPrefix: String
    /// Whole values to issue next, before random ones.
    public var nextRefreshTokens: [String]
    /// Whole values to issue next, before random ones.
    public var nextAccessTokens: [String]
    /// `expires_in` of access tokens.
    public var accessTokenSeconds: Int

    public init(
        refreshTokenPrefix: String = "1//0", accessTokenPrefix: String = "ya29.", nextRefreshTokens: [String] = [],
        nextAccessTokens: [String] = [], accessTokenSeconds: Int = 3599
    ) {
        self.refreshTokenPrefix = refreshTokenPrefix
        self.accessTokenPrefix = accessTokenPrefix
        self.nextRefreshTokens = nextRefreshTokens
        self.nextAccessTokens = nextAccessTokens
        self.accessTokenSeconds = accessTokenSeconds
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let standard = TokenSettings()
        refreshTokenPrefix =
            try container.decodeIfPresent(String.self, forKey: .refreshTokenPrefix) ?? standard.refreshTokenPrefix
        accessTokenPrefix =
            try container.decodeIfPresent(String.self, forKey: .accessTokenPrefix) ?? standard.accessTokenPrefix
        nextRefreshTokens = try container.decodeIfPresent([String].self, forKey: .nextRefreshTokens) ?? []
        nextAccessTokens = try container.decodeIfPresent([String].self, forKey: .nextAccessTokens) ?? []
        accessTokenSeconds =
            try container.decodeIfPresent(Int.self, forKey: .accessTokenSeconds) ?? standard.accessTokenSeconds
    }
}

/// Makes codes and tokens of the lengths Google's have.
struct TokenMint: Sendable {
    var settings = TokenSettings()

    mutating func refreshToken() -> String {
        settings.nextRefreshTokens.isEmpty
            ? settings.refreshTokenPrefix + Base64URL.random(bytes: 74) : settings.nextRefreshTokens.removeFirst()
    }

    mutating func accessToken() -> String {
        settings.nextAccessTokens.isEmpty
            ? settings.accessTokenPrefix + Base64URL.random(bytes: 160) : settings.nextAccessTokens.removeFirst()
    }

    /// With a slash, as Google's have, so that a client that forgets to encode it is found out.
    func code() -> String {
        "4/0A" + Base64URL.random(bytes: 51)
    }
}
