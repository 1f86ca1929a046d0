import ArgumentParser
import AttestationVerifier
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostProcess
import HostRuntime
import HostStorage

/// Everything about keys: their versions, rotation, the policy of the key in KMS, secrets of the enclave.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Key versions, rotation, key policy, encrypted secrets.",
        discussion: """
            A rotation is three releases of the enclave: active 1 and decrypt 2; active 2 and decrypt 1, then \
            keys rewrap --to 2; active 2, then keys retire 1.
            """,
        subcommands: [
            KeysStatusCommand.self, RewrapCommand.self, RetireCommand.self, PolicyCommand.self, EncryptCommand.self,
        ])
}

/// What the commands on sealed rows work with.
struct KeyWorkplace {
    let rows: KeyRotationRepository
    let enclave: EnclaveClient
    let log: HostLog
    private let pools: [PostgresPool]

    init() throws(CommandFailure) {
        let general: GeneralConfiguration
        let database: PostgresConfiguration
        let enclave: EnclaveConnectionConfiguration
        let attestation: AttestationConfiguration
        do throws(ConfigurationError) {
            let configuration = OperatorConfiguration(OperatorEnvironment.load())
            let stored = try configuration.forDatabase()
            let client = try configuration.forEnclave()
            (general, database) = (stored.general, PostgresConfiguration(stored.database))
            (enclave, attestation) = (client.enclave, client.attestation)
        } catch {
            throw .unusable(error.description)
        }
        guard enclave.mode != .disabled else {
            throw .unusable("ENCLAVE_RUNTIME_MODE: key versions are the enclave's; it must not be disabled")
        }
        // What is no failure is said by the command itself.
        log = HostLog(process: .operator, threshold: .info, format: general.logFormat)
        let quiet = HostLog(process: .operator, threshold: .error, format: general.logFormat)
        let (pool, records) = (PostgresPool(database), PostgresPool(database.forRecordPort))
        pools = [pool, records]
        rows = KeyRotationRepository(pool)
        do throws(SecretFileError) {
            self.enclave = try EnclaveClient(
                enclave, attestation, role: .operation,
                repository: SealedRecordRepository(records, keepsStatus: true), metrics: MetricsRegistry(),
                log: quiet)
        } catch {
            throw .unusable("ENCLAVE_RPC_CLIENT_KEY_PATH: \(error.rule)")
        }
    }

    /// Keeps the enclave's session while `body` runs.
    func use<Answer: Sendable>(
        _ body: @escaping @Sendable () async throws(CommandFailure) -> Answer
    ) async throws(CommandFailure) -> Answer {
        let client = enclave
        let result = await withTaskGroup(of: Result<Answer, CommandFailure>?.self) { group in
            group.addTask {
                try? await client.run()
                return nil
            }
            group.addTask {
                do throws(CommandFailure) {
                    return .success(try await body())
                } catch {
                    return .failure(error)
                }
            }
            defer { group.cancelAll() }
            while let next = await group.next() { if let next { return next } }
            return .failure(.failed("cancelled"))
        }
        for pool in pools { pool.shutdown() }
        return try result.get()
    }

    /// Notes a change of this command with who made it.
    func logChange(_ name: StaticString, _ fields: [LogField]) {
        log.event(name, .info, fields + [LogField(.osUser, ProcessInfo.processInfo.userName)])
    }
}

extension EnclaveCallError {
    /// For a person.
    var explanation: String {
        switch self {
        case .unreachable: "the enclave cannot be reached"
        case .timedOut: "the enclave took too long"
        case .evidenceRefused(let reason), .evidenceMalformed(let reason):
            "the enclave's evidence was refused: \(reason.rawValue)"
        default: "the enclave answered \(name)"
        }
    }
}
