/// Request of `google.connect.begin`: `[user, state id, redirect URI, state]`.
public struct GoogleConnectBegin: WireMessage, Equatable {
    /// Who connects.
    public let user: UserID
    /// Row of the OAuth state; the sealed verifier is bound to it.
    public let stateID: OAuthStateID
    /// Must equal the enclave's configured redirect URI.
    public let redirectURI: String
    /// The state as sent to Google.
    public let state: String

    /// A request.
    public init(user: UserID, stateID: OAuthStateID, redirectURI: String, state: String) {
        self.user = user
        self.stateID = stateID
        self.redirectURI = redirectURI
        self.state = state
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(user, stateID, redirectURI, state)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 4)
        user = UserID(try reader.uuid())
        stateID = OAuthStateID(try reader.uuid())
        redirectURI = try reader.text()
        state = try reader.text(atMost: Limits.maximumStateBytes)
        reader.end()
    }
}

/// Answer of `google.connect.begin`: `[authorisation URL, sealed verifier, key version]`.
public struct GoogleConnectBeginAnswer: WireMessage, Equatable {
    /// Where the user gives consent.
    public let authorizationURL: String
    /// PKCE verifier, sealed for this user and state; opens in the enclave only.
    public let sealedVerifier: [UInt8]
    /// Version of the data key that sealed it.
    public let keyVersion: UInt32

    /// An answer.
    public init(authorizationURL: String, sealedVerifier: [UInt8], keyVersion: UInt32) {
        self.authorizationURL = authorizationURL
        self.sealedVerifier = sealedVerifier
        self.keyVersion = keyVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(authorizationURL, sealedVerifier, keyVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        authorizationURL = try reader.text(atMost: Limits.maximumAuthorizationURLBytes)
        sealedVerifier = try reader.bytes(atMost: Limits.maximumSealedRecordBytes)
        keyVersion = try reader.keyVersion()
        reader.end()
    }
}

/// Request of `google.connect.complete`: `[user, connector, state id, state, sealed verifier, code]`.
public struct GoogleConnectComplete: WireMessage, Equatable {
    /// Who connects.
    public let user: UserID
    /// The connector to create or replace.
    public let connector: ConnectorID
    /// Row of the OAuth state.
    public let stateID: OAuthStateID
    /// The state as it came back.
    public let state: String
    /// What `google.connect.begin` answered.
    public let sealedVerifier: [UInt8]
    /// Authorisation code, at most 2048 bytes.
    public let code: String

    /// A request.
    public init(
        user: UserID, connector: ConnectorID, stateID: OAuthStateID, state: String, sealedVerifier: [UInt8],
        code: String
    ) {
        self.user = user
        self.connector = connector
        self.stateID = stateID
        self.state = state
        self.sealedVerifier = sealedVerifier
        self.code = code
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(user, connector, stateID, state, sealedVerifier, code)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 6)
        user = UserID(try reader.uuid())
        connector = ConnectorID(try reader.uuid())
        stateID = OAuthStateID(try reader.uuid())
        state = try reader.text(atMost: Limits.maximumStateBytes)
        sealedVerifier = try reader.bytes(atMost: Limits.maximumSealedRecordBytes)
        code = try reader.text(atMost: Limits.maximumCodeBytes)
        reader.end()
    }
}

/// Answer of `google.connect.complete`: `[[scope…], record version, account changed]`.
public struct GoogleConnectCompleteAnswer: WireMessage, Equatable {
    /// Granted scopes without `openid`, as Google spells them.
    public let scopes: [String]
    /// Version of the sealed record that was stored.
    public let recordVersion: UInt64
    /// A reconnect brought another Google account.
    public let accountChanged: Bool

    /// An answer.
    public init(scopes: [String], recordVersion: UInt64, accountChanged: Bool) {
        self.scopes = scopes
        self.recordVersion = recordVersion
        self.accountChanged = accountChanged
    }

    public func write(to writer: inout CBORWriter) {
        writer.array(3)
        writer.array(scopes.count)
        for scope in scopes { writer.text(scope) }
        writer.unsigned(recordVersion)
        writer.bool(accountChanged)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        var scopes: [String] = []
        for _ in 0..<(try reader.array(atMost: Limits.maximumScopes)) {
            scopes.append(try reader.text(atMost: Limits.maximumScopeBytes))
        }
        reader.end()
        self.scopes = scopes
        recordVersion = try reader.unsigned()
        accountChanged = try reader.bool()
        reader.end()
    }
}
