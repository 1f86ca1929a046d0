import FoundationEssentials
import HostProcess
import HostRuntime
import HostStorage
import Hummingbird

/// Everything the API stands on; the executable and the tests make it from real parts.
struct APIDependencies: Sendable {
    let configuration: APIConfiguration
    /// Longest window of a relayed challenge, in seconds.
    let maximumEvidenceAgeSeconds: Int
    let log: HostLog
    let metrics: MetricsRegistry
    let repositories: Repositories
    let enclave: any EnclavePort
    /// Makes the assistant's answers.
    let brain: any AssistantBrain
    let limiter: any RateLimiting
    let keys: KeyDirectory
    let accounts: AccountGate
    let readiness: Readiness

    /// The stored things that handlers use.
    struct Repositories: Sendable {
        let devices: DeviceRepository
        let states: OAuthStateRepository
        let connectors: ConnectorRepository
        let preferences: PreferencesRepository
        let audit: AuditRepository
        let privacy: PrivacyRequestRepository
        let tests: TestNotificationRepository
        let sessions: AssistantSessionRepository
        let answers: IdempotentAnswerRepository

        init(_ pool: PostgresPool) {
            devices = DeviceRepository(pool)
            states = OAuthStateRepository(pool)
            connectors = ConnectorRepository(pool)
            preferences = PreferencesRepository(pool)
            audit = AuditRepository(pool)
            privacy = PrivacyRequestRepository(pool)
            tests = TestNotificationRepository(pool)
            sessions = AssistantSessionRepository(pool)
            answers = IdempotentAnswerRepository(pool)
        }
    }
}

/// Unix seconds of the wall clock.
let wallClock: @Sendable () -> Double = { Date().timeIntervalSince1970 }
