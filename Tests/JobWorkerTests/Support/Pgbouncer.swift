import Foundation

@testable import HostStorage

/// Debian's pgbouncer in transaction mode before a test's database: consecutive statements may meet different servers.
final class Pgbouncer {
    /// Fewer server connections than clients, so that they are really shared.
    private static let serverConnections = 3

    let url: String
    private let process = Process()
    private let folder: URL

    struct NotInstalled: Error, CustomStringConvertible {
        let description = "pgbouncer is not installed: apt-get install pgbouncer (scripts/test does it)"
    }

    init(before database: String) throws {
        let program = "/usr/sbin/pgbouncer"
        guard FileManager.default.isExecutableFile(atPath: program) else { throw NotInstalled() }
        guard let server = URLComponents(string: database), let port = server.port, let user = server.user,
            let password = server.password
        else { throw NotInstalled() }
        folder = URL(fileURLWithPath: "/tmp/alfred-pgbouncer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let own = Int.random(in: 32_100...60_000)
        let name = String(server.path.dropFirst())
        let settings = """
            [databases]
            \(name) = host=127.0.0.1 port=\(port) user=\(user) password=\(password)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(own)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = \(Self.serverConnections)
            max_client_conn = 100
            """
        let file = folder.appendingPathComponent("pgbouncer.ini")
        try settings.write(to: file, atomically: true, encoding: .utf8)
        url = "postgres://\(user)@127.0.0.1:\(own)/\(name)"
        process.executableURL = URL(fileURLWithPath: program)
        // It refuses to run as root.
        process.arguments = ["-q"] + (getuid() == 0 ? ["-u", "postgres"] : []) + [file.path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }
}
