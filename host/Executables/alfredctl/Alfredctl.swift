import ArgumentParser
import Foundation

/// The operator's command: exit status 0 done, 1 failed, 2 usage or configuration, 3 authentic but judged by no policy.
struct Alfredctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alfredctl", abstract: "Operates Alfred: database, attestation, keys, jobs, privacy, health.",
        discussion:
            "Reads the environment, and .env in local. Exit status: 0 done, 1 failed, 2 usage or configuration, "
            + "3 authentic but judged by no policy.",
        subcommands: [
            MigrateCommand.self, AttestCommand.self, KeysCommand.self, JobsCommand.self, PrivacyCommand.self,
            DoctorCommand.self,
        ])
}

/// A command that ends with a status other than 0.
struct CommandFailure: Error {
    /// 1 failed, 2 usage or configuration, 3 authentic but judged by no policy.
    let status: Int32
    /// For standard error; nil where the command has said it all.
    let message: String?

    /// What was asked for could not be done.
    static func failed(_ message: String? = nil) -> CommandFailure { CommandFailure(status: 1, message: message) }
    /// The root vouches for it, and nothing was asked that could be accepted.
    static let undecided = CommandFailure(status: 3, message: nil)
    /// Wrong usage or configuration.
    static func unusable(_ message: String) -> CommandFailure { CommandFailure(status: 2, message: message) }
}

@main enum Program {
    static func main() async {
        do {
            var command = try Alfredctl.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            if let message = failure.message { Output.complain(message) }
            exit(failure.status)
        } catch {
            // What is left comes from the argument parser: help, or a usage error.
            if Alfredctl.exitCode(for: error) == .success { Alfredctl.exit(withError: error) }
            Output.complain(Alfredctl.fullMessage(for: error))
            exit(2)
        }
    }
}
