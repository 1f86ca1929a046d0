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
        keys: dependencies.keys, rules: ClerkTokenRules(configuration.clerk),
        verified: VerifiedTokens(capacity: configuration.clerk.verifiedTokens), accounts: dependencies.accounts,
        limiter: dependencies.limiter, metrics: dependencies.metrics, now: wallClock)
    let repeatable = RepeatableRequests(
        answers: dependencies.repositories.answers, enclave: dependencies.enclave,
        lock: max(.seconds(60), configuration.requestTimeout + .seconds(15)))
    let gate = RequestGate(
        authenticator: authenticator, limiter: dependencies.limiter, trustedProxies: configuration.trustedProxies,
        repeatable: repeatable)
    let responder = APIResponder(
        table: RouteTable(apiRoutes(dependencies)), gate: gate, accessLog: accessLog,
        timeout: configuration.requestTimeout)
    let listener = HTTPListener(
        name: "api", address: configuration.bindAddress, maximumConnections: configuration.maximumConnections,
        responder: responder, accessLog: accessLog, readiness: dependencies.readiness, onListening: onListening)
    return listener.application
}
