import FoundationEssentials
import HTTPTypes
import HostRuntime

/// The table of the API's routes: what is routed, limited and promised.
func apiRoutes(_ dependencies: APIDependencies) -> [Route] {
    HealthHandlers(readiness: dependencies.readiness).routes + openRoutes(dependencies) + deviceRoutes(dependencies)
        + connectorRoutes(dependencies) + accountRoutes(dependencies)
}

private func openRoutes(_ dependencies: APIDependencies) -> [Route] {
    let bridge = OAuthBridge()
    let contract = ContractPages()
    let relay = AttestationRelay(
        enclave: dependencies.enclave, maximumAgeSeconds: dependencies.maximumEvidenceAgeSeconds,
        quota: CallQuota(perSecond: AttestationRelay.callsPerSecond), now: wallClock)
    return [
        .get("/oauth/google/callback", .oauthBridge, success: .seeOther, .open { bridge.redirect($0) }),
        .get(
            "/v1/attestation/document", .attestation, errors: [.attestationDocumentUnavailable],
            .open(relay.document)),
        .post(
            "/v1/attestation/challenge", .attestation,
            errors: [.attestationChallengeFailed, .attestationChallengeUnavailable], .open(relay.challenge)),
        .get("/openapi.yaml", .docs, .open { contract.yaml($0) }),
        .get("/docs", .docs, .open { contract.html($0) }),
    ]
}

private func deviceRoutes(_ dependencies: APIDependencies) -> [Route] {
    let (stores, enclave) = (dependencies.repositories, dependencies.enclave)
    let device = RegisterDevice(devices: stores.devices, enclave: enclave)
    let test = SendTestNotification(devices: stores.devices, tests: stores.tests, enclave: enclave)
    return [
        .post(
            "/v1/devices/apns", .deviceRegister,
            errors: APIErrorCode.enclave.union([.invalidDeviceID, .invalidAPNsToken]), .user(device.answer)),
        .post(
            "/v1/devices/apns/test", .testPush, body: .optional,
            errors: APIErrorCode.enclave.union([.invalidTitle, .invalidBody, .noRegisteredDevice]),
            .user(test.answer)),
    ]
}

private func connectorRoutes(_ dependencies: APIDependencies) -> [Route] {
    let (stores, enclave) = (dependencies.repositories, dependencies.enclave)
    let start = StartGoogleConnect(
        states: stores.states, enclave: enclave, redirectURI: dependencies.configuration.googleRedirectURI.text,
        stateLifetime: dependencies.configuration.oauthStateLifetime)
    let callback = CompleteGoogleConnect(states: stores.states, connectors: stores.connectors, enclave: enclave)
    let connectors = Connectors(connectors: stores.connectors, enclave: enclave)
    return [
        .post(
            "/v1/connectors/google/start", .googleConnectStart,
            errors: APIErrorCode.enclave.union([.invalidRedirectURI, .oauthConfigError]), .user(start.answer)),
        .post(
            "/v1/connectors/google/callback", .googleConnectCallback,
            errors: APIErrorCode.connector.union([
                .invalidState, .invalidOAuthCode, .oauthConsentDenied, .oauthCallbackError, .oauthUnavailable,
                .oauthTokenExchangeFailed, .oauthInvalidResponse, .missingRefreshToken, .insufficientScopes,
                .oauthRevokeUnavailable, .oauthConfigError,
            ]), .user(callback.answer)),
        .get("/v1/connectors", .read, .user(connectors.list)),
        .delete(
            "/v1/connectors/{connector_id}", .revokeConnector,
            errors: APIErrorCode.connector.union([
                .notFound, .unsupportedProvider, .oauthRevokeUnavailable, .oauthRevokeFailed,
            ]), .user(connectors.revoke)),
    ]
}

private func accountRoutes(_ dependencies: APIDependencies) -> [Route] {
    let stores = dependencies.repositories
    let preferences = ReadPreferences(preferences: stores.preferences)
    let newPreferences = WritePreferences(preferences: stores.preferences)
    let audit = ReadAuditEvents(audit: stores.audit)
    let privacy = PrivacyDelete(requests: stores.privacy)
    let assistant = AssistantQuery(
        connectors: stores.connectors, preferences: stores.preferences,
        sessions: AssistantSessions(sessions: stores.sessions, enclave: dependencies.enclave),
        audit: AuditTrail(audit: stores.audit, metrics: dependencies.metrics), enclave: dependencies.enclave,
        brain: dependencies.brain, now: { Date(timeIntervalSince1970: wallClock()) })
    return [
        .post(
            "/v1/assistant/query", .assistantQuery,
            errors: APIErrorCode.connector.union([
                .invalidQuery, .unsupportedAssistantQuery, .insufficientScopes, .googleCalendarUnavailable,
                .googleCalendarFailed, .googleCalendarInvalidResponse,
            ]), .user(assistant.answer)),
        .get("/v1/preferences", .read, .user(preferences.answer)),
        .put("/v1/preferences", .preferencesWrite, errors: [.invalidPreferences], .user(newPreferences.answer)),
        .get("/v1/audit-events", .read, errors: [.invalidCursor], .user(audit.answer)),
        .post("/v1/privacy/delete-all", .privacyDeleteAll, body: .optional, .user(privacy.request)),
        .get("/v1/privacy/delete-all/{request_id}", .read, errors: [.notFound], .formerUser(privacy.status)),
    ]
}
