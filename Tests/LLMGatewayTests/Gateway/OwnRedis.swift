import Foundation
import Glibc
import HostStorage
import Synchronization

/// A Redis of one test, which can be killed: it answers nothing that is not on the disk.
final class OwnRedis: Sendable {
    let url: String
    private let folder: URL
    private let socket: String
    private let process = Mutex<Process?>(nil)

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // A socket of its own: a port could be another's.
        socket = folder.appending(path: "redis.sock").path
        url = "unix://\(socket)"
    }

    /// Starts it and waits until it answers.
    func start() async throws {
        let child = Process()
        child.executableURL = URL(filePath: "/usr/bin/redis-server")
        child.arguments = [
            "--port", "0", "--unixsocket", socket, "--dir", folder.path, "--appendonly", "yes", "--appendfsync",
            "always",
            "--save", "", "--daemonize", "no",
        ]
        child.standardOutput = FileHandle.nullDevice
        child.standardError = FileHandle.nullDevice
        try child.run()
        process.withLock { $0 = child }
        let connection = try RedisConnection(RedisOptions(url: url))
        defer { connection.shutdown() }
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await connection.ping()
            } catch {
                guard ContinuousClock.now < end else { throw error }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// Ends it without a word.
    func kill() {
        process.withLock { child in
            guard let running = child else { return }
            _ = Glibc.kill(running.processIdentifier, SIGKILL)
            running.waitUntilExit()
            child = nil
        }
    }

    func remove() {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }
}
