public import Foundation
public import SimulatorKit

/// A process of the local system.
public enum Component: String, CaseIterable, Sendable {
    case simulators, enclave, api, worker

    /// Name of its executable.
    public var executable: String {
        switch self {
        case .simulators: "simulators"
        case .enclave: "enclave-dev-shim"
        case .api: "api-server"
        case .worker: "worker"
        }
    }
}

/// Where the local system lives and what differs from the ordinary.
public struct StackSettings: Sendable {
    /// Root of the checkout.
    public var repository: URL
    /// Folder of the built executables.
    public var products: URL
    /// Folder of keys, logs, Postgres and Redis.
    public var state: URL
    /// Postgres without fsync: tests only.
    public var fastPostgres = false
    /// Variables that replace the ordinary ones, for all processes.
    public var overrides: [String: String] = [:]
    /// Puts a `RecordingRelay` between the hosts and the enclave.
    public var recordsWire = false
    /// No Postgres, Redis and schema: for a test that starts simulators and enclaves only and plays the host itself.
    public var withoutServers = false
    /// `enclave-runtime` with a simulated secure module, KMS and instance metadata, in place of the dev shim.
    public var isRemote = false
    /// The worker delivers to APNs itself as this sender, in place of an endpoint; the simulator has to be told of it.
    public var directPush: PushSender?
    /// Variables of the real environment; a Postgres or Redis URL found here replaces the private server.
    public var environment: [String: String] = [:]

    /// Settings for a checkout at `repository` with state under `state`.
    public init(repository: URL, state: URL, products: URL? = nil) {
        self.repository = repository
        self.state = state
        self.products = products ?? repository.appending(path: ".build/debug")
    }

    /// Settings for a test: a fresh folder under `.local/tests`, removed by `LocalStack.remove()`.
    ///
    /// `ALFRED_TEST_PRODUCTS` names another folder of executables, for example of a release build.
    public static func forTest(_ name: String, file: String = #filePath) -> StackSettings {
        var root = URL(filePath: file)
        while root.path != "/", !FileManager.default.fileExists(atPath: root.appending(path: "Package.swift").path) {
            root.deleteLastPathComponent()
        }
        let folder = root.appending(path: ".local/tests/\(name)-\(ProcessInfo.processInfo.processIdentifier)")
        let products = ProcessInfo.processInfo.environment["ALFRED_TEST_PRODUCTS"].map { URL(filePath: $0) }
        var settings = StackSettings(repository: root, state: folder, products: products)
        settings.fastPostgres = true
        return settings
    }
}
