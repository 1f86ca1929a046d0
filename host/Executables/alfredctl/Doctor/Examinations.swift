import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostProcess
import HostRuntime
import HostStorage

typealias Finding = DoctorCommand.Finding

/// Whether Postgres answers and has every migration of this release.
struct DatabaseExamination {
    let configuration: PostgresConfiguration

    func findings() async -> [Finding] {
        let pool = PostgresPool(configuration)
        defer { pool.shutdown() }
        let database = Finding(name: "database", verdict: .ok, detail: "answers")
        do throws(DatabaseCheck.Failure) {
            try await DatabaseCheck(pool).run()
            return [database, Finding(name: "schema", verdict: .ok, detail: "current")]
        } catch {
            switch error {
            case .database(let error, let problem):
                let reason = problem.map { " (\($0.rawValue))" } ?? ""
                return [Finding(name: "database", verdict: .failed, detail: error.explanation + reason)]
            case .schema(let error):
                return [database, Finding(name: "schema", verdict: .failed, detail: error.explanation)]
            }
        }
    }
}

/// Whether Redis answers; the operator's own configuration has no Redis, so it is the API's `REDIS_URL`, if set.
struct RedisExamination {
    func finding() async -> Finding {
        let environment = ConfigurationReader(EnvironmentSource.load(process: .api))
        guard let url = environment.given("REDIS_URL") else {
            return Finding(name: "redis", verdict: .skipped, detail: "REDIS_URL is not set here")
        }
        do throws(RedisError) {
            let redis = try RedisConnection(RedisOptions(url: url, timeout: .seconds(2)))
            defer { redis.shutdown() }
            try await redis.ping()
            return Finding(name: "redis", verdict: .ok, detail: "answers")
        } catch {
            return Finding(name: "redis", verdict: .failed, detail: "\(error)")
        }
    }
}

/// Whether the enclave is the right one, knows this host's key, and has about the same time.
struct EnclaveExamination: Sendable {
    /// Seconds by which the clocks may differ before it is worth a word.
    static let tolerableSkew: UInt64 = 5

    let enclave: EnclaveConnectionConfiguration
    let attestation: AttestationConfiguration

    func findings() async -> [Finding] {
        guard enclave.mode != .disabled else {
            return [Finding(name: "enclave", verdict: .skipped, detail: "mode disabled")]
        }
        let (findings, isTrusted) = await BlockingWork().run { examine() }
        return findings + [await session(isTrusted: isTrusted)]
    }

    /// Blocks; runs on a thread of its own. Tells also whether the evidence was accepted.
    private func examine() -> ([Finding], isTrusted: Bool) {
        let live: LiveAttestation
        do throws(LiveAttestation.Failure) {
            live = try LiveAttestation(
                endpoint: Endpoint(enclave.endpoint), policy: AttestationPolicy(attestation),
                limit: attestation.challengeTimeout)
        } catch {
            return ([Finding(name: "enclave", verdict: .failed, detail: error.message)], false)
        }
        let text = AttestReport(live.report)
        let isReady = live.health.status == .ok
        var findings = [
            Finding(name: "enclave", verdict: isReady ? .ok : .failed, detail: "state \(live.health.status.rawValue)"),
            Finding(
                name: "evidence", verdict: text.isRefused ? .failed : .ok,
                detail: text.identity.map { "accepted as \($0)" } ?? "refused: \(text.reason ?? "")"),
        ]
        if let evidence = try? Evidence(decoding: live.answer.evidence) { findings.append(clock(evidence, live)) }
        return (findings, !text.isRefused)
    }

    private func clock(_ evidence: Evidence, _ live: LiveAttestation) -> Finding {
        let skew = max(evidence.issuedAt, live.judgedAt) - min(evidence.issuedAt, live.judgedAt)
        return Finding(
            name: "clock", verdict: skew <= Self.tolerableSkew ? .ok : .failed,
            detail: "\(skew) s between this host and the enclave")
    }

    /// Opens a session with the operator's key; only after the evidence was accepted.
    private func session(isTrusted: Bool) async -> Finding {
        guard isTrusted else {
            return Finding(name: "session", verdict: .skipped, detail: "the enclave is not trusted")
        }
        guard let path = enclave.clientKeyPath, let key = try? HostKey(readingFile: path) else {
            return Finding(name: "session", verdict: .failed, detail: "the host key cannot be read")
        }
        let client = EnclaveClient(
            configuration: EnclaveClientConfiguration(enclave, attestation, role: .operation), hostKey: key,
            records: NoRecords(), metrics: MetricsRegistry(), log: HostLog(process: .operator, threshold: .error))
        do throws(ProbeFailure) {
            try await client.probe()
            return Finding(name: "session", verdict: .ok, detail: "the enclave knows this host's key")
        } catch {
            let hint = error.step == .session ? " (is this host's key in ENCLAVE_RPC_ALLOWED_CLIENTS?)" : ""
            return Finding(name: "session", verdict: .failed, detail: error.description + hint)
        }
    }
}

/// The operator holds no records; the enclave asks it for none.
private struct NoRecords: RecordStore {
    func record(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord? {
        throw EnclaveFailure(.recordPortFailed)
    }

    func put(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome {
        throw EnclaveFailure(.recordPortFailed)
    }

    func wrappedKey(_ reference: WrappedKeyReference) async throws(EnclaveFailure) -> WrappedKey? {
        throw EnclaveFailure(.keyStoreFailed)
    }

    func insertWrappedKey(_ put: WrappedKeyPut) async throws(EnclaveFailure) -> Bool {
        throw EnclaveFailure(.keyStoreFailed)
    }
}

/// A thread for work that blocks.
actor BlockingWork {
    private let thread = BlockingThread(name: "alfredctl")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    func run<Value: Sendable>(_ work: @Sendable () -> Value) -> Value { work() }
}
