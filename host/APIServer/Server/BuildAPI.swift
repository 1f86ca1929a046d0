import HTTPTypes
import HostRuntime
import Hummingbird

/// The API as one application; the executable and the tests build it here.
///
/// `onListening` is given the port once connections are taken.
func buildAPI(
    _ dependencies: APIDependencies, onListening: @escaping @Sendable (Int) -> Void = { _ in }
) -> some ApplicationProtocol {
    let configuration = dependencies.configuration
    let accessLog = AccessLog(log: dependencies.log, metrics: dependencies.metrics)
    let authenticator = Authenticator(
        keys: dependencies.keys, rules: ClerkTokenRules(configuration.clerk), accounts: dependencies.accounts,
        limiter: dependencies.limiter, metrics: dependencies.metrics, now: wallClock)
    let gate = RequestGate(
        authenticator: authenticator, limiter: dependencies.limiter, trustedProxies: configuration.trustedProxies)
    let responder = APIResponder(
        table: RouteTable(apiRoutes(dependencies)), gate: gate, accessLog: accessLog,
        timeout: configuration.requestTimeout)
    let listener = HTTPListener(
        name: "api", address: configuration.bindAddress, maximumConnections: configuration.maximumConnections,
        responder: responder, accessLog: accessLog, onListening: onListening)
    return listener.application
}

/// The table of the API's routes.
func apiRoutes(_ dependencies: APIDependencies) -> [Route] {
    let (stores, enclave) = (dependencies.repositories, dependencies.enclave)
    let device = RegisterDevice(devices: stores.devices, enclave: enclave)
    let start = StartGoogleConnect(
        states: stores.states, enclave: enclave, redirectURI: dependencies.configuration.googleRedirectURI.text,
        stateLifetime: dependencies.configuration.oauthStateLifetime)
    let callback = CompleteGoogleConnect(states: stores.states, connectors: stores.connectors, enclave: enclave)
    let connectors = Connectors(connectors: stores.connectors, enclave: enclave)
    let preferences = ReadPreferences(preferences: stores.preferences)
    let newPreferences = WritePreferences(preferences: stores.preferences)
    let audit = ReadAuditEvents(audit: stores.audit)
    let relay = AttestationRelay(
        enclave: enclave, maximumAgeSeconds: dependencies.maximumEvidenceAgeSeconds,
        quota: CallQuota(perSecond: AttestationRelay.callsPerSecond), now: wallClock)
    let bridge = OAuthBridge()
    return HealthHandlers(readiness: dependencies.readiness).routes + [
        .get("/oauth/google/callback", .oauthBridge, .open { bridge.redirect($0) }),
        .get("/v1/attestation/document", .attestation, .open(relay.document)),
        .post("/v1/attestation/challenge", .attestation, .open(relay.challenge)),
        .post("/v1/devices/apns", .deviceRegister, .user(device.answer)),
        .post("/v1/connectors/google/start", .googleConnectStart, .user(start.answer)),
        .post("/v1/connectors/google/callback", .googleConnectCallback, .user(callback.answer)),
        .get("/v1/connectors", .read, .user(connectors.list)),
        .delete("/v1/connectors/{connector_id}", .revokeConnector, .user(connectors.revoke)),
        .get("/v1/preferences", .read, .user(preferences.answer)),
        .put("/v1/preferences", .preferencesWrite, .user(newPreferences.answer)),
        .get("/v1/audit-events", .read, .user(audit.answer)),
    ]
}
