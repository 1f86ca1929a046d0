public import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// One child process with its log file; started, stopped, paused and killed by its process id.
public final class ManagedProcess: Sendable {
    /// What the process is called in messages, for example `worker`.
    public let name: String
    /// Its process id.
    public let pid: pid_t
    /// Where its standard output and error go.
    public let log: URL
    private let exit: ExitBox

    /// Starts `executable` with exactly `environment`; output is appended to `log`.
    ///
    /// - Throws: what Foundation throws when the file cannot be run.
    public init(
        name: String, executable: URL, arguments: [String] = [], environment: [String: String], folder: URL, log: URL
    ) throws {
        self.name = name
        self.log = log
        if !FileManager.default.fileExists(atPath: log.path) {
            _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        }
        let output = try FileHandle(forWritingTo: log)
        try output.seekToEnd()
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let exit = ExitBox()
        process.terminationHandler = { exit.set($0.terminationStatus) }
        try process.run()
        try? output.close()
        pid = process.processIdentifier
        self.exit = exit
    }

    /// Exit status, or nil while it runs; 128 + signal when a signal ended it is not distinguished.
    public var exitStatus: Int32? { exit.status }

    /// Whether the process has not ended.
    public var isRunning: Bool { exit.status == nil }

    /// Sends `signal`.
    public func send(_ signal: Int32) {
        if isRunning { kill(pid, signal) }
    }

    /// Ends it with SIGKILL and waits until it is gone.
    public func kill9() async {
        send(SIGKILL)
        _ = await waitForExit(within: .seconds(10))
    }

    /// Asks with SIGTERM, kills after `grace`; returns the exit status.
    @discardableResult
    public func stop(grace: Duration = .seconds(30)) async -> Int32? {
        send(SIGTERM)
        if let status = await waitForExit(within: grace) { return status }
        await kill9()
        return exit.status
    }

    /// Waits for the end; nil when it still runs after `limit`.
    public func waitForExit(within limit: Duration) async -> Int32? {
        let end = ContinuousClock.now.advanced(by: limit)
        while exit.status == nil, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(10))
        }
        return exit.status
    }

    /// The last `count` lines of its log.
    public func logTail(_ count: Int = 15) -> String {
        guard let data = try? Data(contentsOf: log) else { return "" }
        return String(decoding: data.suffix(16 * 1024), as: UTF8.self)
            .split(separator: "\n").suffix(count).joined(separator: "\n")
    }
}

/// The exit status, set once from Foundation's termination handler.
private final class ExitBox: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Int32?

    var status: Int32? { lock.withLock { value } }
    func set(_ status: Int32) { lock.withLock { value = status } }
}
