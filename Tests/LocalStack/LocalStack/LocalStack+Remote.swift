import Foundation
import SimulatorKit

/// What `remote` needs beside the processes: a release that the key's policy admits, secrets as KMS ciphertext.
extension LocalStack {
    /// The executable of a component in this mode.
    func executable(of component: Component) -> String {
        component == .enclave && settings.isRemote ? "enclave-runtime" : component.executable
    }

    /// What the person does before an enclave starts: allows its measurement, sets the key's policy, encrypts its secrets.
    func makeRelease() async throws {
        let socket = try prepared().secureModule
        guard let module = try await control.secureModules().first(where: { $0.socket == socket }) else {
            throw StackError("the simulated secure module is not there")
        }
        let release = "release-1@\(module.measurement)+pcr3=\(module.registers[3])"
        environment?.variables["TEE_ALLOWED_MEASUREMENTS"] = release
        progress(
            "secure module: measures PCR0 \(module.registers[0].prefix(12))…, of the instance's role PCR3 "
                + "\(module.registers[3].prefix(12))…; the hosts accept this release and no other")
        let policy = try await alfredctl([
            "keys", "policy", "--release", release, "--parent-role", KMSSettings.parentRole, "--operator-role",
            KMSSettings.operatorRole, "--administrator", KMSSettings.administratorRole,
        ])
        try await control.setKMSPolicy(policy)
        progress("KMS: has the policy of alfredctl keys policy: data keys for that image on that role, for nobody else")
        let person = AWSCredentialSet.random(principal: KMSSettings.operatorRole)
        try await control.addAWSCredentials(person)
        try await encrypt(
            "google-client-secret.key", as: "GOOGLE_OAUTH_CLIENT_SECRET", ["--version", "1"], by: person)
        try await encrypt("attestation.key", as: "TEE_ATTESTATION_SIGNING_PRIVATE_KEY", [], by: person)
        progress("operator: alfredctl keys encrypt made KMS ciphertext of client secret and attestation key")
    }

    /// Makes the `kms:` value of one variable of the enclave.
    private func encrypt(
        _ file: String, as name: String, _ arguments: [String], by person: AWSCredentialSet
    ) async throws {
        let environment = try prepared()
        let output = try await alfredctl(
            ["keys", "encrypt", name] + arguments, input: environment.keyFile(file),
            extra: [
                "KMS_ENDPOINT_URL": "https://localhost:\(environment.ports.kms)",
                "AWS_ACCESS_KEY_ID": person.accessKeyID, "AWS_SECRET_ACCESS_KEY": person.secretAccessKey,
                "AWS_SESSION_TOKEN": person.sessionToken ?? "",
            ])
        guard let value = output.split(separator: "\n").last, value.hasPrefix("kms:") else {
            throw StackError("alfredctl keys encrypt \(name) gave no value:\n\(output)")
        }
        self.environment?.variables[name] = String(value)
    }

    /// Output of `alfredctl` with the operator's variables; standard input comes from the file `input`.
    public func alfredctl(
        _ arguments: [String], input: String = "/dev/null", extra: [String: String] = [:]
    ) async throws -> String {
        try await Shell.run(
            URL(filePath: "/bin/sh"),
            ["-c", #"input=$1; shift; exec "$@" <"$input""#, "sh", input]
                + [settings.products.appending(path: "alfredctl").path] + arguments,
            environment: try prepared().operatorVariables.merging(extra) { _, new in new },
            log: settings.state.appending(path: "logs/alfredctl.log"))
    }

    // MARK: - What happens meanwhile

    /// Health of the enclave, the verdict on its evidence and the checks that it passed, by `alfredctl attest challenge`.
    public func challengeEnclave() async throws -> (status: String, verdict: String, checks: Int) {
        struct Answer: Decodable {
            struct Health: Decodable { let status: String }
            struct Check: Decodable {}
            let health: Health
            let verdict: String
            let checks: [Check]
            let nitro_checks: [Check]?
        }
        let url = "tcp://127.0.0.1:\(try prepared().ports.enclave)"
        let output = try await alfredctl(["attest", "challenge", url, "--json"])
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output.utf8)) else {
            throw StackError("alfredctl attest challenge gave no JSON:\n\(output)")
        }
        return (answer.health.status, answer.verdict, answer.checks.count + (answer.nitro_checks?.count ?? 0))
    }

    /// Tells how far the enclave is, and insists on it: `starting` until a host has come, open after that.
    func tell(after component: Component) async throws {
        switch component {
        case .enclave:
            let (status, verdict, checks) = try await challengeEnclave()
            guard status == "starting" else { throw StackError("the enclave is \(status) before a host has come") }
            progress(
                "enclave: \(status). It has a session key and a signing key made at boot, no data key and no secret,"
                    + " and takes kms.credentials only")
            progress("alfredctl attest challenge: \(verdict), \(checks) checks, the document's chain among them")
        case .api:
            let log = try process(.enclave).log
            _ = try await eventually("enclave_open in the enclave's log", within: .seconds(20)) {
                try String(contentsOf: log, encoding: .utf8).contains("\"enclave_open\"") ? true : nil
            }
            let calls = try await control.calls()
            func count(_ call: ProviderCall) -> Int { calls.first { $0.call == call }?.arrived ?? 0 }
            progress(
                "api: got the role's credentials from the instance metadata, verified the enclave, handed them over")
            progress(
                "enclave: open. KMS verified its document and sealed each answer to a key of the enclave alone: "
                    + "\(count(.kmsGenerateDataKey)) GenerateDataKey, \(count(.kmsDecrypt)) Decrypt")
        case .simulators, .worker: break
        }
    }
}
