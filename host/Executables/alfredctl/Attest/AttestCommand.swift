import ArgumentParser

/// Everything about evidence of an enclave.
struct AttestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attest", abstract: "Asks an enclave for evidence, or judges recorded evidence.",
        subcommands: [ChallengeCommand.self, VerifyCommand.self, InspectCommand.self])
}
