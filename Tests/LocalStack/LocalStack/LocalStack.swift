import Foundation
import Glibc
public import SimulatorKit

/// The whole system as processes on this machine: private Postgres and Redis, simulators, enclave, API, worker.
public actor LocalStack {
    /// Where it lives and what differs from the ordinary.
    public nonisolated let settings: StackSettings
    /// Ports and variables; set by `prepare`.
    public internal(set) var environment: StackEnvironment?
    /// What passed between hosts and enclave; only with `recordsWire`.
    public private(set) var relay: RecordingRelay?
    private var processes: [String: ManagedProcess] = [:]
    private var folderLock: Int32?
    /// Whether the folder is this launcher's; false where another one runs in it.
    public var hasFolder: Bool { folderLock != nil }
    let progress: @Sendable (String) -> Void

    /// A system that is not started; `progress` gets one line per step.
    public init(_ settings: StackSettings, progress: @escaping @Sendable (String) -> Void = { _ in }) {
        self.settings = settings
        self.progress = progress
    }

    // MARK: - Start

    /// Starts everything and waits until each part is ready.
    public func start() async throws {
        try await prepare()
        try await startAll()
    }

    /// Servers, keys and schema: everything that must be there before the first process.
    public func prepare() async throws {
        try takeFolder()
        let logs = settings.state.appending(path: "logs")
        try? FileManager.default.removeItem(at: logs)
        try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
        await endLeftovers()
        let servers = settings.withoutServers ? [:] : try await startServers()
        let keys = try await makeKeys()
        let environment = StackEnvironment(ports: try ports(), servers: servers, keys: keys, settings: settings)
        self.environment = environment
        if !settings.withoutServers {
            progress("schema: alfredctl migrate")
            try await migrate(environment)
        }
        if settings.recordsWire {
            relay = try await RecordingRelay(port: environment.ports.relay, target: environment.ports.enclave)
        }
    }

    /// Starts the four processes in order, each when the one before is ready.
    public func startAll() async throws {
        for component in Component.allCases {
            try await start(component)
            if settings.isRemote { try await tell(after: component) }
        }
    }

    /// Starts one process and waits until it is ready.
    public func start(_ component: Component) async throws {
        try launch(component)
        try await ready(component)
        if settings.isRemote, component == .simulators { try await makeRelease() }
    }

    /// Starts one process without waiting; `name` tells apart two of the same component.
    public func launch(_ component: Component, name: String? = nil, extra: [String: String] = [:]) throws {
        let environment = try prepared()
        let name = name ?? component.rawValue
        let process = try ManagedProcess(
            name: name, executable: settings.products.appending(path: executable(of: component)),
            arguments: component == .simulators ? simulatorArguments(environment) : [],
            environment: environment.variables(for: component).merging(extra) { _, new in new },
            folder: settings.state, log: settings.state.appending(path: "logs/\(name).log"))
        processes[name] = process
        try remember()
        progress("\(name): started, process \(process.pid)")
    }

    /// Waits until `component` answers.
    public func ready(_ component: Component, within limit: Duration = .seconds(30)) async throws {
        let name = component.rawValue
        let end = try await eventually("\(name) ready", within: limit) { () -> String? in
            if let process = processes[name], let status = process.exitStatus {
                return "\(name) ended with status \(status):\n\(process.logTail())"
            }
            return try await isReady(component) ? "" : nil
        }
        guard end.isEmpty else { throw StackError(end) }
        progress("\(name): ready")
    }

    /// Whether `component` answers now.
    public func isReady(_ component: Component) async throws -> Bool {
        let environment = try prepared()
        switch component {
        case .simulators:
            return FileManager.default.fileExists(atPath: simulatorFile.path)
                && Ports.isListening(environment.ports.control)
        case .enclave: return Ports.isListening(environment.ports.enclave)
        case .api: return await Phone.status("\(environment.apiURL)/readyz") == 200
        case .worker: return await Phone.status("http://127.0.0.1:\(environment.ports.workerMetrics)/readyz") == 200
        }
    }

    // MARK: - Processes

    /// The running process called `name`.
    public func process(_ name: String) throws -> ManagedProcess {
        guard let process = processes[name] else { throw StackError("\(name) was never started") }
        return process
    }

    /// The process of a component.
    public func process(_ component: Component) throws -> ManagedProcess { try process(component.rawValue) }

    /// Ends a process with SIGKILL.
    public func kill9(_ component: Component) async throws { try await process(component).kill9() }

    /// Runs one of the server commands of `scripts/infra`, for example `kill-postgres`.
    public func infra(_ command: String) async throws {
        _ = try await infraScript([command])
    }

    /// Returns when one of the processes has ended, with its name and the end of its log.
    public func firstEnd() async throws -> String {
        while true {
            for (name, process) in processes {
                guard let status = process.exitStatus else { continue }
                return "\(name) ended with status \(status):\n\(process.logTail(5))"
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Stops every process, the last started first, then Postgres and Redis; nothing where another launcher has the
    /// folder.
    public func stop() async { await end("stop") }

    /// Stops everything and deletes its folder.
    public func remove() async {
        guard folderLock != nil else { return }
        await end("down")
        try? FileManager.default.removeItem(at: settings.state)
    }

    private func end(_ servers: String) async {
        guard let folderLock else { return }
        for name in ["worker", "api", "enclave", "simulators"] + processes.keys.sorted() {
            guard let process = processes[name], process.isRunning else { continue }
            progress("\(name): stopping")
            await process.stop()
        }
        await relay?.close()
        if privateServers { _ = try? await infraScript([servers]) }
        try? FileManager.default.removeItem(at: pidFile)
        close(folderLock)
        self.folderLock = nil
    }

    // MARK: - Parts

    /// The simulators' control API.
    public var control: SimulatorControl {
        get throws { SimulatorControl(baseURL: "http://127.0.0.1:\(try prepared().ports.control)") }
    }

    /// A phone of the user with this Clerk subject.
    public func phone(subject: String) async throws -> Phone {
        Phone(
            api: try prepared().apiURL, token: try await control.mintToken(subject: subject),
            authority: settings.state.appending(path: "simulators/ca.pem").path)
    }

    func prepared() throws -> StackEnvironment {
        guard let environment else { throw StackError("the local system is not prepared") }
        return environment
    }

    private var simulatorFile: URL { settings.state.appending(path: "simulators/simulators.json") }
    private var pidFile: URL { settings.state.appending(path: "pids") }
    private func simulatorArguments(_ environment: StackEnvironment) -> [String] {
        try? FileManager.default.removeItem(at: simulatorFile)
        let ports = environment.ports
        return [
            "--state", settings.state.appending(path: "simulators").path, "--google-port", "\(ports.google)",
            "--clerk-port", "\(ports.clerk)", "--apns-port", "\(ports.apns)", "--control-port", "\(ports.control)",
            "--google-client-id", environment.variables["GOOGLE_OAUTH_CLIENT_ID"] ?? "",
            "--google-client-secret-file", environment.keyFile("google-client-secret.key"),
            "--google-redirect-uri", environment.redirectURI,
            "--clerk-audience", environment.variables["CLERK_AUDIENCE"] ?? "",
            "--kms-port", "\(ports.kms)", "--metadata-port", "\(ports.metadata)",
            "--openrouter-port", "\(ports.openrouter)",
        ] + (settings.isRemote ? ["--nsm-socket", environment.secureModule] : [])
    }

    /// Process ids are kept in a file, so that what a killed launcher left behind is ended at the next start.
    private func remember() throws {
        let lines = processes.values.filter(\.isRunning).map { "\($0.pid)" }
        try lines.joined(separator: "\n").write(to: pidFile, atomically: true, encoding: .utf8)
    }

    /// One launcher per folder. The processes find an empty `.env` here, so that none further up is read.
    private func takeFolder() throws {
        try FileManager.default.createDirectory(at: settings.state, withIntermediateDirectories: true)
        let path = settings.state.appending(path: "lock").path
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw StackError("another system runs in \(settings.state.path); stop it, or give --state another folder")
        }
        // Held until this process ends.
        folderLock = descriptor
        try "# Everything is handed over in the environment.\n".write(
            to: settings.state.appending(path: ".env"), atomically: true, encoding: .utf8)
    }

    private func endLeftovers() async {
        guard let text = try? String(contentsOf: pidFile, encoding: .utf8) else { return }
        let products = settings.products.resolvingSymlinksInPath().path
        for pid in text.split(separator: "\n").compactMap({ Int32($0) }) {
            guard
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe"),
                target.hasPrefix(products)
            else { continue }
            progress("ending process \(pid), left from an earlier start")
            kill(pid, SIGKILL)
        }
        try? FileManager.default.removeItem(at: pidFile)
    }
}
