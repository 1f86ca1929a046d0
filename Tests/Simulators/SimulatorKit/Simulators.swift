import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
public import ServiceLifecycle

/// The simulated providers and their control API, each on a port of its own.
public struct Simulators: Service {
    /// Name of the file in the state folder that tells where everything listens.
    public static let endpointsFile = "simulators.json"

    private let configuration: SimulatorConfiguration
    private let authority: ThrowawayAuthority
    private let google: GoogleSimulator
    private let clerk: ClerkSimulator
    private let apns: APNsSimulator
    private let kms: KMSSimulator
    private let metadata: InstanceMetadata
    private let openRouter = OpenRouterSimulator()
    private let secureModules: SecureModules
    private let ledger = Ledger()
    private let faults = FaultBoard()
    private let readiness = Readiness()

    /// Makes the keys, and the CA unless the state folder holds one.
    public init(_ configuration: SimulatorConfiguration) throws {
        self.configuration = configuration
        let folder = URL(filePath: configuration.stateFolder)
        authority = try ThrowawayAuthority(in: folder, now: Date())
        secureModules = try SecureModules(in: folder)
        var keys = configuration.kms
        keys.nitroRoot = keys.nitroRoot ?? secureModules.authority.root
        google = try GoogleSimulator(client: configuration.googleClient, ledger: ledger, now: configuration.now)
        clerk = try ClerkSimulator(settings: configuration.clerk, now: configuration.now)
        apns = APNsSimulator(ledger: ledger, now: configuration.now)
        kms = try KMSSimulator(
            settings: keys, folder: folder, ledger: ledger, now: configuration.now)
        metadata = InstanceMetadata(kms: kms, ledger: ledger, now: configuration.now)
    }

    /// Where everything listens; waits until it does.
    ///
    /// - Throws: `CancellationError` when `run()` ended before that.
    public func endpoints() async throws -> SimulatorEndpoints {
        let ports = try await readiness.ports()
        return SimulatorEndpoints(
            google: "https://localhost:\(ports.google)", clerk: "https://localhost:\(ports.clerk)",
            apns: "https://localhost:\(ports.apns)", kms: "https://localhost:\(ports.kms)",
            metadata: "http://127.0.0.1:\(ports.metadata)",
            openRouter: "https://localhost:\(ports.openrouter)/api/v1/chat/completions",
            control: "http://127.0.0.1:\(ports.control)",
            caFile: URL(filePath: configuration.stateFolder).appending(path: ThrowawayAuthority.certificateFile).path,
            nitroRootFile: URL(filePath: configuration.stateFolder).appending(path: SecureModules.rootFile).path)
    }

    /// Serves until a graceful shutdown or cancellation; writes `simulators.json` once everything listens.
    public func run() async throws {
        let file = URL(filePath: configuration.stateFolder).appending(path: Self.endpointsFile)
        try? FileManager.default.removeItem(at: file)
        defer { readiness.end() }
        for settings in configuration.secureModules { try secureModules.put(settings) }
        defer { secureModules.close() }
        let applications = [
            try provider(google, .google, configuration.googlePort),
            try provider(clerk, .clerk, configuration.clerkPort),
            try provider(apns, .apns, configuration.apnsPort),
            try provider(
                kms, .kms, configuration.kmsPort, hosts: ["kms.\(KMSSettings.region).amazonaws.com"]),
            try provider(openRouter, .openrouter, configuration.openRouterPort),
            instanceMetadata(),
            control(),
        ]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for application in applications {
                group.addTask { try await application.run() }
            }
            group.addTask {
                let endpoints = try await endpoints()
                try ThrowawayAuthority.write(
                    String(decoding: JSONValue(encoding: endpoints).bytes, as: UTF8.self), to: file, mode: 0o644)
            }
            try await group.waitForAll()
        }
    }

    private func provider(
        _ simulator: some ProviderSimulator, _ name: Provider, _ port: Int, hosts: [String] = []
    ) throws -> any Service {
        let tls = try authority.serverConfiguration(hosts: hosts, now: Date())
        return Application(
            responder: ProviderResponder(simulator: simulator, ledger: ledger, faults: faults),
            server: try .http2Upgrade(tlsConfiguration: tls, configuration: .init(gracefulCloseTimeout: .seconds(1))),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                if name == .clerk { await clerk.setIssuer("https://localhost:\(port)") }
                readiness.listening(name, on: port)
            },
            logger: Self.logger(name.rawValue))
    }

    private func instanceMetadata() -> any Service {
        Application(
            router: InstanceMetadataRoutes(metadata: metadata, ledger: ledger, faults: faults).router(),
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: configuration.metadataPort)),
            onServerRunning: { readiness.listening(.metadata, on: $0.localAddress?.port ?? 0) },
            logger: Self.logger("metadata"))
    }

    private func control() -> any Service {
        let routes = ControlRoutes(
            google: google, clerk: clerk, apns: apns, kms: kms, metadata: metadata, openRouter: openRouter,
            secureModules: secureModules,
            ledger: ledger,
            faults: faults)
        return Application(
            router: routes.router(),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: configuration.controlPort)),
            onServerRunning: { readiness.listening(nil, on: $0.localAddress?.port ?? 0) },
            logger: Self.logger("control"))
    }

    private static func logger(_ name: String) -> Logger {
        var logger = Logger(label: "simulators.\(name)")
        logger.logLevel = .error
        return logger
    }
}

/// Runs the simulators in this process while `body` runs.
public func withSimulators<Answer: Sendable>(
    _ configuration: SimulatorConfiguration,
    _ body: @escaping @Sendable (SimulatorEndpoints, SimulatorControl) async throws -> Answer
) async throws -> Answer {
    let simulators = try Simulators(configuration)
    var logger = Logger(label: "simulators")
    logger.logLevel = .error
    let group = ServiceGroup(configuration: .init(services: [simulators], logger: logger))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let endpoints: SimulatorEndpoints
        do {
            endpoints = try await simulators.endpoints()
        } catch {
            // The servers ended before they listened: their error says why.
            try await tasks.waitForAll()
            throw error
        }
        let answer: Result<Answer, any Error>
        do {
            answer = .success(try await body(endpoints, SimulatorControl(baseURL: endpoints.control)))
        } catch {
            answer = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return try answer.get()
    }
}
