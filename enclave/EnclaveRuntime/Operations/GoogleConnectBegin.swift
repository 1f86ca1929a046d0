internal import EnclaveProtocol
internal import EnclaveVault
internal import Sodium

extension Operations {
    static let scopes = [
        "openid", "https://www.googleapis.com/auth/gmail.readonly", "https://www.googleapis.com/auth/calendar.readonly",
    ]

    /// `google.connect.begin`: makes the PKCE verifier, which leaves sealed only, and the URL for the user's consent.
    func connectBegin(
        _ request: GoogleConnectBegin, _ context: CallContext
    ) throws(EnclaveFailure) -> GoogleConnectBeginAnswer {
        guard request.redirectURI == google.redirectURI else { throw EnclaveFailure(.redirectURIMismatch) }
        guard !request.state.isEmpty else { throw EnclaveFailure(.parameterRefused) }
        let verifier = Self.makeVerifier()
        var digest = [UInt8](repeating: 0, count: Hash.sha256Bytes)
        unsafe verifier.withUnsafeBytes { verifier in
            unsafe digest.withUnsafeMutableBytes { unsafe Hash.sha256(verifier, into: $0) }
        }
        let query = [
            ("client_id", google.clientID), ("redirect_uri", google.redirectURI), ("response_type", "code"),
            ("scope", Self.scopes.joined(separator: " ")), ("access_type", "offline"), ("prompt", "consent"),
            ("include_granted_scopes", "false"), ("state", request.state),
            ("code_challenge", Base64.encodeURL(digest)), ("code_challenge_method", "S256"),
        ]
        .map { "\($0)=\(percentEncoded($1))" }
        .joined(separator: "&")
        do throws(VaultError) {
            let sealed = try vault.sealVerifier(
                verifier, issuedAt: wallClock(), stateHash: Hash.sha256(Array(request.state.utf8)), user: request.user,
                state: request.stateID, port: context.port)
            return GoogleConnectBeginAnswer(
                authorizationURL: "\(google.authorizationURL.text)?\(query)", sealedVerifier: sealed,
                keyVersion: vault.policy.activeVersion)
        } catch {
            throw EnclaveFailure(error.code)
        }
    }

    /// 32 random bytes as 43 characters of base64url, made in locked memory (RFC 7636 §4.1).
    private static func makeVerifier() -> SecretBytes {
        let alphabet = StaticString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        return unsafe SecretMemory.withScratch(32) { random in
            unsafe Random.fill(random)
            return unsafe SecretBytes(count: 43) { output in
                var bits: UInt32 = 0
                var count: UInt32 = 0
                var next = 0
                for index in output.indices {
                    if count < 6 {
                        // The last character has two bits of padding.
                        bits = bits << 8 | (next < random.count ? UInt32(unsafe random[next]) : 0)
                        next += 1
                        count += 8
                    }
                    count -= 6
                    unsafe output[index] = alphabet.utf8Start[Int(bits >> count & 63)]
                }
            }
        }
    }
}
