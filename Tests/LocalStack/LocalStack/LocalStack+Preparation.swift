import Foundation

/// What is there before the first process: servers, keys, schema and ports.
extension LocalStack {
    var privateServers: Bool {
        !settings.withoutServers
            && (settings.environment["DATABASE_URL"] == nil || settings.environment["REDIS_URL"] == nil)
    }

    func startServers() async throws -> [String: String] {
        var servers: [String: String] = [:]
        if privateServers {
            progress("Postgres and Redis: private servers under \(settings.state.appending(path: "infra").path)")
            _ = try await infraScript(["up"] + (settings.fastPostgres ? ["--fast"] : []))
            servers = Shell.variables(in: try await infraScript(["env"]))
        }
        if let url = settings.environment["DATABASE_URL"] {
            progress("Postgres: DATABASE_URL of the environment")
            for role in ["OWNER", "API", "WORKER", "OPERATOR"] { servers["\(role)_DATABASE_URL"] = url }
        }
        if let url = settings.environment["REDIS_URL"] {
            progress("Redis: REDIS_URL of the environment")
            servers["REDIS_URL"] = url
        }
        return servers
    }

    func infraScript(_ arguments: [String]) async throws -> String {
        try await Shell.run(
            settings.repository.appending(path: "scripts/infra"),
            arguments + ["--dir", settings.state.appending(path: "infra").path],
            environment: StackEnvironment.system, log: settings.state.appending(path: "logs/infra.log"))
    }

    func makeKeys() async throws -> [String: String] {
        let file = settings.state.appending(path: "keys.env")
        _ = try await Shell.run(
            settings.repository.appending(path: "scripts/local-keys"),
            ["--dir", settings.state.appending(path: "keys").path, "--env-file", file.path],
            environment: StackEnvironment.system, log: settings.state.appending(path: "logs/keys.log"))
        return Shell.variables(in: try String(contentsOf: file, encoding: .utf8))
    }

    func migrate(_ environment: StackEnvironment) async throws {
        let process = try ManagedProcess(
            name: "alfredctl", executable: settings.products.appending(path: "alfredctl"), arguments: ["migrate"],
            // The simulators, whose CA the other processes trust, are not there yet, and a migration needs none.
            environment: environment.operatorVariables.filter {
                !["EGRESS_CA_FILE", "TEE_NITRO_ROOT_CERT_PATH"].contains($0.key)
            },
            folder: settings.state, log: settings.state.appending(path: "logs/migrate.log"))
        guard await process.waitForExit(within: .seconds(60)) == 0 else {
            await process.kill9()
            throw StackError("alfredctl migrate failed:\n\(process.logTail())")
        }
    }

    /// Ports are kept between starts, so that URLs stay the same; new ones where another process took them.
    func ports() throws -> StackEnvironment.PortSet {
        let file = settings.state.appending(path: "ports.json")
        if let data = try? Data(contentsOf: file),
            let kept = try? JSONDecoder().decode(StackEnvironment.PortSet.self, from: data),
            ![
                kept.google, kept.clerk, kept.apns, kept.control, kept.kms, kept.metadata, kept.openrouter,
                kept.enclave,
                kept.relay, kept.api, kept.apiMetrics, kept.workerMetrics,
            ]
            .contains(where: Ports.isListening)
        {
            return kept
        }
        let ports = StackEnvironment.PortSet()
        try JSONEncoder().encode(ports).write(to: file)
        return ports
    }
}
