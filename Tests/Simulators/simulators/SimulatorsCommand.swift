import ArgumentParser
import Foundation
import Logging
import ServiceLifecycle
import SimulatorKit
import UnixSignals

/// Stands in for Google, Clerk, APNs, OpenRouter, AWS KMS, instance metadata and Nitro secure modules on this machine.
@main
struct SimulatorsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulators",
        abstract: "Simulated Google, Clerk, APNs and AWS KMS over TLS, and instance metadata, with a control API.")

    @Option(help: "Folder for the throw-away CA and simulators.json.")
    var state: String
    @Option(help: "Port of Google; 0 for any.")
    var googlePort = 0
    @Option(help: "Port of Clerk; 0 for any.")
    var clerkPort = 0
    @Option(help: "Port of APNs; 0 for any.")
    var apnsPort = 0
    @Option(help: "Port of KMS; 0 for any.")
    var kmsPort = 0
    @Option(help: "Port of the instance metadata; 0 for any.")
    var metadataPort = 0
    @Option(help: "Port of OpenRouter; 0 for any.")
    var openrouterPort = 0
    @Option(help: "File with the policy of the first KMS key; without it nobody may use the key.")
    var kmsPolicy: String?
    @Option(help: "File with the certificate, DER, of the root that signs documents of secure modules.")
    var nitroRoot: String?
    @Option(
        help: ArgumentHelp(
            "Socket of an enclave's secure module, and a name for its image; may be repeated.",
            valueName: "path[=image]"))
    var nsmSocket: [String] = []
    @Option(help: "Port of the control API; 0 for any.")
    var controlPort = 0
    @Option(help: "Client id registered at Google.")
    var googleClientID: String?
    @Option(help: "File that holds the client secret registered at Google.")
    var googleClientSecretFile: String?
    @Option(help: "Redirect URI registered at Google; may be repeated.")
    var googleRedirectURI: [String] = []
    @Option(help: "Audience of Clerk's session tokens.")
    var clerkAudience: String?

    func run() async throws {
        var configuration = SimulatorConfiguration(
            stateFolder: state, googlePort: googlePort, clerkPort: clerkPort, apnsPort: apnsPort,
            controlPort: controlPort, kmsPort: kmsPort, metadataPort: metadataPort,
            openRouterPort: openrouterPort)
        if let file = kmsPolicy {
            let data = try Data(contentsOf: URL(filePath: file))
            configuration.kms.policy = try JSONDecoder().decode(JSONValue.self, from: data)
        }
        if let file = nitroRoot { configuration.kms.nitroRoot = Array(try Data(contentsOf: URL(filePath: file))) }
        configuration.secureModules = nsmSocket.map { entry in
            let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
            return parts.count == 2
                ? SecureModuleSettings(socket: parts[0], image: parts[1]) : SecureModuleSettings(socket: entry)
        }
        if let googleClientID { configuration.googleClient.clientID = googleClientID }
        if let file = googleClientSecretFile {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            configuration.googleClient.clientSecrets = [text.trimmingCharacters(in: .whitespacesAndNewlines)]
        }
        if !googleRedirectURI.isEmpty { configuration.googleClient.redirectURIs = googleRedirectURI }
        if let clerkAudience { configuration.clerk.audience = clerkAudience }
        try await serve(Simulators(configuration))
    }

    private func serve(_ simulators: Simulators) async throws {
        var logger = Logger(label: "simulators")
        logger.logLevel = .error
        var configuration = ServiceGroupConfiguration(
            services: [simulators], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(5)
        let group = ServiceGroup(configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask { try await announce(simulators) }
            try await tasks.waitForAll()
        }
    }

    /// One line on standard output once everything listens.
    private func announce(_ simulators: Simulators) async throws {
        let endpoints = try await simulators.endpoints()
        let line = [
            "event": "ready", "google": endpoints.google, "clerk": endpoints.clerk, "apns": endpoints.apns,
            "kms": endpoints.kms, "metadata": endpoints.metadata, "openrouter": endpoints.openRouter,
            "control": endpoints.control,
            "ca_file": endpoints.caFile, "nitro_root_file": endpoints.nitroRootFile,
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        FileHandle.standardOutput.write(try encoder.encode(line) + Data("\n".utf8))
    }
}
