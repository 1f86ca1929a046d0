import ArgumentParser
import AttestationVerifier
import AttestedSession
import EnclaveClient
import Foundation
import HostRuntime
import HostStorage

/// Looks at everything a process of Alfred needs, one line each.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Configuration, database, schema, Redis, enclave and clock: one line each.",
        discussion: "Exit status 0 when nothing is wrong, 2 when the configuration is, 1 otherwise.")

    @Flag(help: "Print one JSON object.") var json = false

    /// What became of one examination.
    struct Finding: Encodable {
        enum Verdict: String, Encodable { case ok, failed, skipped }

        let name: String
        let verdict: Verdict
        let detail: String
    }

    private struct Result: Encodable {
        let healthy: Bool
        let findings: [Finding]
    }

    mutating func run() async throws {
        var findings: [Finding] = []
        let database = examine(&findings, "configuration of the database") { () throws(CommandFailure) in
            try OperatorEnvironment.database()
        }
        let enclave = examine(&findings, "configuration of the enclave") { () throws(CommandFailure) in
            try OperatorEnvironment.enclave()
        }
        let isConfigured = database != nil && enclave != nil
        if let database { findings += await DatabaseExamination(configuration: database).findings() }
        findings.append(await RedisExamination().finding())
        if let enclave { findings += await EnclaveExamination(enclave: enclave.0, attestation: enclave.1).findings() }

        let isHealthy = !findings.contains { $0.verdict == .failed }
        if json {
            Output.json(Result(healthy: isHealthy, findings: findings))
        } else {
            for finding in findings { Output.line(finding.line) }
        }
        if !isConfigured { throw CommandFailure(status: 2, message: nil) }
        if !isHealthy { throw CommandFailure.failed() }
    }

    private func examine<Value>(
        _ findings: inout [Finding], _ name: String, _ read: () throws(CommandFailure) -> Value
    ) -> Value? {
        do throws(CommandFailure) {
            let value = try read()
            findings.append(Finding(name: name, verdict: .ok, detail: "complete"))
            return value
        } catch {
            let detail = (error.message ?? "").split(separator: "\n").joined(separator: "; ")
            findings.append(Finding(name: name, verdict: .failed, detail: detail))
            return nil
        }
    }
}

extension DoctorCommand.Finding {
    var line: String {
        let mark =
            switch verdict {
            case .ok: "✓"
            case .failed: "✗"
            case .skipped: "–"
            }
        return "\(mark) \(name): \(detail)"
    }
}
