import Foundation

/// Runs a script of the checkout to its end.
enum Shell {
    /// Standard output of `script` with `arguments`.
    ///
    /// - Throws: `StackError` with the script's last lines when it does not end with 0.
    static func run(_ script: URL, _ arguments: [String], environment: [String: String], log: URL) async throws
        -> String
    {
        let output = log.deletingLastPathComponent().appending(path: "\(script.lastPathComponent)-\(UUID()).out")
        defer { try? FileManager.default.removeItem(at: output) }
        let process = try ManagedProcess(
            name: script.lastPathComponent, executable: script, arguments: arguments, environment: environment,
            folder: log.deletingLastPathComponent(), log: output)
        guard let status = await process.waitForExit(within: .seconds(300)) else {
            await process.kill9()
            throw StackError("\(script.lastPathComponent) \(arguments.joined(separator: " ")) took over 5 minutes")
        }
        let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
        guard status == 0 else {
            throw StackError("\(script.lastPathComponent) \(arguments.first ?? "") failed (\(status)):\n\(text)")
        }
        return text
    }

    /// Splits `NAME=value` lines.
    static func variables(in text: String) -> [String: String] {
        var result: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "="), !line.hasPrefix("#") else { continue }
            result[String(line[..<equals])] = String(line[line.index(after: equals)...])
        }
        return result
    }
}
