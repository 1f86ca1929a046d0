internal import EnclaveProtocol
internal import Sodium

/// The three requests to Google that carry the client secret or a refresh token.
struct TokenEndpoint: Sendable {
    let google: GoogleConfiguration
    let provider: any Provider

    /// Exchanges an authorisation code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    func exchange(code: String, verifier: borrowing SecretBytes) throws(EnclaveFailure) -> TokenAnswer {
        var form = try makeForm()
        form.appendField("grant_type", "authorization_code")
        form.appendField("redirect_uri", google.redirectURI)
        form.appendField("code", code)
        unsafe verifier.withUnsafeBytes { unsafe form.appendField("code_verifier", secret: $0) }
        let reply = try post(google.tokenURL, form)
        guard (200...299).contains(reply.status) else {
            switch (reply.status, TokenRefusal(reply.body)) {
            case (400, .invalidGrant): throw EnclaveFailure(.codeRejected)
            case (400, .accessDenied): throw EnclaveFailure(.consentDenied)
            default: throw Self.failure(reply)
            }
        }
        guard let answer = TokenAnswer(reply.body, clientID: google.clientID) else {
            throw EnclaveFailure(.providerResponseInvalid)
        }
        return answer
    }

    /// Gets an access token for `refreshToken`; nil when Google says `invalid_grant`.
    func refresh(_ refreshToken: borrowing SecretBytes) throws(EnclaveFailure) -> TokenAnswer? {
        var form = try makeForm()
        form.appendField("grant_type", "refresh_token")
        unsafe refreshToken.withUnsafeBytes { unsafe form.appendField("refresh_token", secret: $0) }
        let reply = try post(google.tokenURL, form)
        guard (200...299).contains(reply.status) else {
            if reply.status == 400, TokenRefusal(reply.body) == .invalidGrant { return nil }
            throw Self.failure(reply)
        }
        guard let answer = TokenAnswer(reply.body, clientID: google.clientID) else {
            throw EnclaveFailure(.providerResponseInvalid)
        }
        return answer
    }

    /// Revokes a grant; that it was invalid already counts as done.
    func revoke(_ token: borrowing SecretBytes) throws(EnclaveFailure) -> GoogleRevokeAnswer.Outcome {
        var form = SecretBuffer(capacity: 3 * token.count + 16)
        unsafe token.withUnsafeBytes { unsafe form.appendField("token", secret: $0) }
        let reply = try post(google.revokeURL, form)
        if (200...299).contains(reply.status) { return .revoked }
        if reply.status == 400, TokenRefusal(reply.body) == .invalidToken { return .alreadyInvalid }
        throw Self.failure(reply)
    }

    /// A form with the client's id and secret, and room for what else a request holds.
    private func makeForm() throws(EnclaveFailure) -> SecretBuffer {
        // Always there once the enclave has left `starting`.
        guard let clientSecret = google.clientSecret.current else { throw EnclaveFailure(.keyStoreFailed) }
        var form = SecretBuffer(capacity: 16 * 1024)
        form.appendField("client_id", google.clientID)
        unsafe clientSecret.withUnsafeBytes { unsafe form.appendField("client_secret", secret: $0) }
        return form
    }

    private func post(_ url: ProviderURL, _ form: borrowing SecretBuffer) throws(EnclaveFailure) -> SecretReply {
        guard !form.overflowed else { throw EnclaveFailure(.parameterRefused) }
        do throws(ProviderFault) {
            return try provider.post(url, form: form, milliseconds: google.requestTimeoutMilliseconds)
        } catch {
            throw error.failure
        }
    }

    private static func failure(_ reply: borrowing SecretReply) -> EnclaveFailure {
        EnclaveFailure(
            .providerFailed, providerStatus: UInt16(clamping: reply.status), retryAfterSeconds: reply.retryAfterSeconds)
    }
}

extension ProviderFault {
    /// What a host hears.
    var failure: EnclaveFailure {
        switch self {
        case .unavailable: EnclaveFailure(.providerUnavailable)
        case .tooLarge: EnclaveFailure(.providerResponseInvalid)
        case .hostRefused: EnclaveFailure(.internalFailure)
        }
    }
}
