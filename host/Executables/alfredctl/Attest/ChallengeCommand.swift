import ArgumentParser
import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime

/// Challenges a running enclave and judges its evidence by the policy of the environment.
struct ChallengeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "challenge", abstract: "Health, document and a fresh challenge of a running enclave, judged now.",
        discussion: "The policy comes from the TEE_ and KMS_ variables. Exit status 0 only on accept.")

    @Argument(help: "tcp://host:port, vsock://cid:port or unix:///path") var url: String
    @Flag(help: "Print one JSON object.") var json = false
    @Option(help: "Also write the evidence to this file, for attest verify.") var record: String?

    private struct Result: Encodable {
        struct Health: Encodable {
            let status, environment, mode: String
            let uptime_seconds: UInt64
        }
        struct Document: Encodable { let runtime, measurement: String }

        let endpoint: String
        let health: Health
        let document: Document?
        let evidence: [String: String]?
        let took_ms: Int
        let checks: [AttestReport.Check]
        let nitro_checks: [AttestReport.Check]?
        let verdict: String
        let identity: String?
        let reason: String?
    }

    mutating func run() throws {
        guard let endpoint = Endpoint(clientURL: url) else {
            throw CommandFailure.unusable(
                "attest challenge: URL must be tcp://host:port, vsock://cid:port or unix:///path")
        }
        let attestation = try OperatorEnvironment.attestation()
        let policy = AttestationPolicy(attestation)
        let live: LiveAttestation
        do throws(LiveAttestation.Failure) {
            live = try LiveAttestation(endpoint: endpoint, policy: policy, limit: attestation.challengeTimeout)
        } catch {
            throw CommandFailure.failed("attest challenge: \(error.message)")
        }
        let text = AttestReport(live.report, root: policy.nitroRoot, judgedAt: live.judgedAt)
        if json { Output.json(result(live, text, endpoint)) } else { show(live, text, endpoint) }
        try write(live, policy)
        if !text.isAccepted { throw text.failure }
    }

    private func show(_ live: LiveAttestation, _ text: AttestReport, _ endpoint: Endpoint) {
        let health = live.health
        Output.line("enclave   \(endpoint)")
        Output.line(
            "health    \(health.status.rawValue), environment \(visible(health.environment)), mode "
                + "\(visible(health.mode)), up \(health.uptimeSeconds) s")
        Output.line("document  " + (live.document.map(describe) ?? "unreadable") + " (informative)")
        Output.line("evidence  answered in \(live.took.wholeMilliseconds) ms")
        for line in text.lines { Output.line(line) }
    }

    private func describe(_ document: IdentityDocument) -> String {
        "runtime \(visible(document.runtime)), measurement \(visible(document.measurement))"
    }

    private func result(_ live: LiveAttestation, _ text: AttestReport, _ endpoint: Endpoint) -> Result {
        let evidence = try? Evidence(decoding: live.answer.evidence)
        return Result(
            endpoint: endpoint.description,
            health: Result.Health(
                status: live.health.status.rawValue, environment: live.health.environment, mode: live.health.mode,
                uptime_seconds: live.health.uptimeSeconds),
            document: live.document.map { Result.Document(runtime: $0.runtime, measurement: $0.measurement) },
            evidence: evidence.map { Dictionary(uniqueKeysWithValues: $0.fields.map { ($0.name, $0.value) }) },
            took_ms: live.took.wholeMilliseconds, checks: text.checks, nitro_checks: text.nitro_checks,
            verdict: text.verdict, identity: text.identity, reason: text.reason)
    }

    private func write(_ live: LiveAttestation, _ policy: AttestationPolicy) throws(CommandFailure) {
        guard let record else { return }
        let file = Recording.file(live.answer, to: live.challenge, by: policy, now: live.judgedAt)
        do {
            try Data(file).write(to: URL(filePath: record), options: .withoutOverwriting)
        } catch {
            throw .failed("attest challenge: \(record) exists, or cannot be written")
        }
    }
}

/// Text of a peer made fit for a terminal.
func visible(_ text: String) -> String {
    String(text.unicodeScalars.prefix(256).map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
}
