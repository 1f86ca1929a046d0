import Foundation
import HostRuntime
import Testing

/// A folder of its own, removed with the value; nothing here reads the environment of the test run.
final class Folder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("host-runtime-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    @discardableResult
    func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let file = path + "/" + name
        let parent = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }
}

/// 32 bytes in base64.
let keyText = Data((1...32).map { UInt8($0) }).base64EncodedString()
let otherKeyText = Data(repeating: 9, count: 32).base64EncodedString()
let nitroMeasurement = (0...2).map { "pcr\($0)=" + String(repeating: "a\($0)", count: 48) }.joined(separator: "+")

/// The least a local process needs, for each kind.
let localVariables: [String: String] = [
    "CLERK_ISSUER": "https://clerk.test", "CLERK_AUDIENCE": "alfred",
    "DATABASE_URL": "postgres://alfred:canary-password@127.0.0.1/alfred",
    "GOOGLE_OAUTH_REDIRECT_URI": "http://127.0.0.1:8080/oauth/google/callback",
    "TEE_ATTESTATION_PUBLIC_KEY": keyText, "OPENROUTER_API_KEY": "canary-provider-key",
]

/// The least a process outside local needs.
let productionVariables: [String: String] = [
    "ALFRED_ENV": "production", "CLERK_ISSUER": "https://clerk.test", "CLERK_AUDIENCE": "alfred",
    "DATABASE_URL": "postgres://alfred:canary-password@db.test/alfred?sslmode=verify-full",
    "REDIS_URL": "rediss://redis.test:6380/0",
    "GOOGLE_OAUTH_REDIRECT_URI": "https://api.test/oauth/google/callback",
    "TEE_ALLOWED_MEASUREMENTS": "v1@" + nitroMeasurement, "ENCLAVE_RPC_CLIENT_KEY_PATH": "host.key",
    "OPENROUTER_API_KEY": "canary-provider-key",
]

/// Start-up of one process in a folder that has its key file and perhaps a `.env`.
struct Start {
    let folder: Folder
    var variables: [String: String]

    /// In local.
    init(_ changes: [String: String?] = [:], dotEnv: String? = nil) throws {
        try self.init(localVariables, changes, dotEnv: dotEnv)
    }

    static func production(_ changes: [String: String?] = [:], dotEnv: String? = nil) throws -> Start {
        try Start(productionVariables, changes, dotEnv: dotEnv)
    }

    private init(_ base: [String: String], _ changes: [String: String?], dotEnv: String?) throws {
        folder = try Folder()
        variables = base
        for (name, value) in changes { variables[name] = value }
        for name in ["api", "worker", "operator"] { try folder.write(keyText, to: ".local/keys/\(name).key") }
        try folder.write(keyText, to: "host.key")
        try folder.write(dotEnv ?? "", to: ".env")
    }

    func load(_ process: ProcessKind) -> LoadedEnvironment {
        EnvironmentSource.load(process: process, environment: variables, directory: folder.path)
    }

    func api() throws -> APIServerConfiguration { try APIServerConfiguration(load(.api)) }
    func worker() throws -> WorkerServiceConfiguration { try WorkerServiceConfiguration(load(.worker)) }

    /// The variables that API and worker refuse.
    func refused() -> Set<String> {
        Set((violations { try self.api() } + violations { try self.worker() }).map(\.variable))
    }

    func apiViolations() -> [ConfigurationViolation] { violations { try self.api() } }
    func workerViolations() -> [ConfigurationViolation] { violations { try self.worker() } }

    private func violations(_ start: () throws -> Any) -> [ConfigurationViolation] {
        do {
            _ = try start()
            return []
        } catch let error as ConfigurationError {
            return error.violations
        } catch {
            Issue.record(error)
            return []
        }
    }
}

/// Lines that a log wrote.
final class Lines: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [String] = []

    var all: [String] { lock.withLock { kept } }
    var sink: LogSink { LogSink { line in self.lock.withLock { self.kept.append(line) } } }
}
