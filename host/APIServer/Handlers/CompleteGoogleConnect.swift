import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostStorage

/// POST `/v1/connectors/google/callback`: claims the state, lets the enclave exchange the code, makes the connector ACTIVE.
struct CompleteGoogleConnect: Sendable {
    let states: OAuthStateRepository
    let connectors: ConnectorRepository
    let enclave: any EnclavePort

    /// The fields of the body, within their rules.
    private struct Callback {
        let state: String
        let code: String?
        let error: String?

        init(_ body: RequestFields) throws(APIError) {
            state = try body.text("state").trimmedOfWhiteSpace
            code = try body.optionalText("code")?.trimmedOfWhiteSpace
            error = try body.optionalText("error")?.trimmedOfWhiteSpace
            let description = try body.optionalText("error_description") ?? ""
            guard (1...256).contains(state.unicodeScalars.count) else { throw APIError(.invalidState) }
            guard (code ?? "").utf8.count <= 2048 else { throw APIError(.invalidOAuthCode) }
            guard (error ?? "").unicodeScalars.count <= 256, description.unicodeScalars.count <= 1024 else {
                throw APIError(.oauthCallbackError)
            }
        }
    }

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let callback = try Callback(call.body)
        let code = callback.code ?? ""
        let providerError = callback.error ?? ""
        guard !providerError.isEmpty || !code.isEmpty else { throw APIError(.invalidOAuthCode) }

        let digest = StartGoogleConnect.digest(of: callback.state)
        let claimed = try await stored(call) { () throws(StorageError) in
            try await states.claim(user: user.uuid, stateSHA256: digest)
        }
        guard let claimed else { throw APIError(.invalidState) }
        guard providerError.isEmpty else {
            try await consume(claimed, user, call)
            throw APIError(providerError == "access_denied" ? .oauthConsentDenied : .oauthCallbackError)
        }

        let connector = ConnectorID(try await connectorID(for: user, claimed, call))
        let completed = try await complete(
            GoogleConnectComplete(
                user: user, connector: connector, stateID: OAuthStateID(claimed.id), state: callback.state,
                sealedVerifier: claimed.sealedVerifier, code: code),
            claimed, call)
        try await activate(connector, completed, claimed, user, call)
        return .json(
            .object([
                "connector_id": .string(connector.uuid.lowercased), "status": .string(ConnectorStatus.active.rawValue),
                "granted_scopes": .array(completed.scopes.map(JSONValue.string)),
                "account_changed": .bool(completed.accountChanged),
            ]))
    }

    private func connectorID(
        for user: UserID, _ claimed: ClaimedOAuthState, _ call: APICall
    ) async throws(APIError) -> UUID {
        do throws(APIError) {
            return try await stored(call) { () throws(StorageError) in
                try await connectors.prepareConnect(user: user.uuid)
            }
        } catch {
            await release(claimed, user)
            throw error
        }
    }

    private func complete(
        _ request: GoogleConnectComplete, _ claimed: ClaimedOAuthState, _ call: APICall
    ) async throws(APIError) -> GoogleConnectCompleteAnswer {
        do throws(EnclaveCallError) {
            return try await enclave.completeGoogleConnect(request, context: call.enclaveContext)
        } catch {
            call.note(error, during: "google.connect.complete")
            if Self.consumesState(error) {
                try await consume(claimed, request.user, call)
            } else {
                await release(claimed, request.user)
            }
            throw APIError(error, during: .connect)
        }
    }

    /// Whether the code is spent, or the answer final; otherwise the same callback may be sent again until it expires.
    static func consumesState(_ error: EnclaveCallError) -> Bool {
        guard case .failed(let failure) = error else { return false }
        switch failure.code {
        case .codeRejected, .consentDenied, .providerResponseInvalid, .refreshTokenMissing, .scopesInsufficient,
            .replacedTokenNotRevoked:
            return true
        case .providerFailed:
            guard let status = failure.providerStatus else { return true }
            return !(status == 408 || status == 429 || (500...599).contains(status))
        default: return false
        }
    }

    private func consume(_ claimed: ClaimedOAuthState, _ user: UserID, _ call: APICall) async throws(APIError) {
        try await finishing { () throws(APIError) in
            try await stored(call) { () throws(StorageError) in try await states.consume(claimed.id, of: user.uuid) }
        }
    }

    private func release(_ claimed: ClaimedOAuthState, _ user: UserID) async {
        try? await finishing { () throws(APIError) in try? await states.release(claimed.id, of: user.uuid) }
    }

    private func activate(
        _ connector: ConnectorID, _ completed: GoogleConnectCompleteAnswer, _ claimed: ClaimedOAuthState,
        _ user: UserID, _ call: APICall
    ) async throws(APIError) {
        let activation = ConnectorActivation(
            user: user.uuid, connector: connector.uuid, recordVersion: Int64(clamping: completed.recordVersion),
            scopes: completed.scopes, state: claimed.id, accountChanged: completed.accountChanged,
            attestedMeasurement: await enclave.attestedMeasurement)
        let isActive = try await finishing { () throws(APIError) in
            try await stored(call) { () throws(StorageError) in try await connectors.activate(activation) }
        }
        guard isActive else {
            // Revoked in between: the code is spent, so the state is too.
            try await consume(claimed, user, call)
            throw APIError(.connectorTokenUnavailable)
        }
    }
}
