import Foundation
import LocalStack

/// The command-line tools of Postgres and Redis.
enum Tool {
    /// Standard output of `tool`; it must end with status 0.
    static func output(_ tool: String, _ arguments: [String], _ extra: [String: String] = [:]) throws -> Data {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(extra) { _, new in new }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw StackError("\(tool) failed") }
        return data
    }

    /// Unaligned rows of a query, with the owner's rights.
    static func psql(_ query: String, _ environment: StackEnvironment) throws -> String {
        let data = try output("psql", ["-X", "-A", "-t", "-q", environment.ownerDatabaseURL, "-c", query])
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Everything that Postgres holds.
    static func dumpPostgres(_ environment: StackEnvironment) throws -> Data {
        try output("pg_dump", [environment.ownerDatabaseURL])
    }

    /// Everything that Redis holds.
    static func dumpRedis(_ environment: StackEnvironment, in folder: URL) throws -> Data {
        let file = folder.appending(path: "redis.rdb")
        let redis = URLComponents(string: environment.redisURL)
        _ = try output(
            "redis-cli", ["-p", "\(redis?.port ?? 0)", "--rdb", file.path], ["REDISCLI_AUTH": redis?.password ?? ""])
        return try Data(contentsOf: file)
    }
}
