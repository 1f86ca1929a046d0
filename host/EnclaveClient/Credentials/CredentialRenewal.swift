internal import EnclaveProtocol
internal import Foundation
internal import HostRuntime

/// Hands every new set of credentials to the enclave while the process runs; the source renews them before they expire.
struct CredentialRenewal {
    /// How often the source is asked; it answers from memory unless its set is about to expire.
    static let interval = Duration.seconds(30)

    let client: EnclaveClient
    let source: any CredentialSource
    let interval: Duration

    /// Runs until the task is cancelled.
    func run() async {
        var handed: KMSCredentials?
        var complaint: String?
        while !Task.isCancelled {
            let problem = await handIn(&handed)
            // The same trouble is said once.
            if let problem, problem != complaint { client.report.credentialsMissing(problem) }
            complaint = problem
            try? await Task.sleep(for: interval)
        }
    }

    /// - Returns: what went wrong, if anything.
    private func handIn(_ handed: inout KMSCredentials?) async -> String? {
        let set: KMSCredentials
        do throws(CredentialSourceError) {
            set = try await source.credentials()
        } catch {
            return error.rawValue
        }
        guard set != handed else { return nil }
        do throws(EnclaveCallError) {
            let context = CallContext(requestID: "credentials-\(UUID().lowercased)")
            let answer: KMSCredentialsAnswer = try await client.call(.kmsCredentials, set, context)
            client.report.handedOver(answer.outcome)
            if answer.outcome == .refused { return "refused_by_kms" }
            // The enclave did not take the newer client secret, whatever became of the credentials: brought again later.
            if let brought = set.clientSecret?.version, answer.clientSecretVersion ?? 0 < brought {
                return "client_secret_not_taken"
            }
            handed = set
            return nil
        } catch {
            return error.name
        }
    }
}
