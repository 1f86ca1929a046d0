import CLocalStack
public import Foundation
import Glibc

/// One child process with its log file; started, stopped, paused and killed by its process id.
///
/// Not Foundation's `Process`: that one notices an end only when every descriptor the child handed on is closed, and
/// the servers that a script starts outlive it.
public final class ManagedProcess: Sendable {
    /// What the process is called in messages, for example `worker`.
    public let name: String
    /// Its process id.
    public let pid: Int32
    /// Where its standard output and error go.
    public let log: URL
    private let exit = ExitBox()

    /// Starts `executable` with exactly `environment`; output is appended to `log`.
    ///
    /// - Throws: `StackError` when the file cannot be run.
    public init(
        name: String, executable: URL, arguments: [String] = [], environment: [String: String], folder: URL, log: URL
    ) throws {
        self.name = name
        self.log = log
        pid = try Self.spawn(executable.path, arguments, environment, folder.path, log.path)
        let (pid, exit) = (pid, exit)
        let waiter = Thread {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            // As a shell counts: the exit status, or 128 and the signal.
            exit.set(status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f))
        }
        waiter.stackSize = 128 << 10
        waiter.start()
    }

    /// Exit status, 128 + n after signal n, or nil while it runs.
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

    /// Waits for the end, cancelled or not; nil when it still runs after `limit`.
    public func waitForExit(within limit: Duration) async -> Int32? {
        await exit.wait(within: limit)
    }

    /// The last `count` lines of its log.
    public func logTail(_ count: Int = 15) -> String {
        guard let data = try? Data(contentsOf: log) else { return "" }
        return String(decoding: data.suffix(16 * 1024), as: UTF8.self)
            .split(separator: "\n").suffix(count).joined(separator: "\n")
    }

    /// Spawns with the log as output, no other descriptor, and a process group of its own, so that Ctrl-C is ours.
    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ folder: String, _ log: String
    ) throws -> Int32 {
        let argv = ([path] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: Int32 = 0
        let code = child_spawn(&pid, path, argv, envp, folder, log)
        guard code == 0 else { throw StackError("\(path) cannot be started: \(String(cString: strerror(code)))") }
        return pid
    }
}

/// The exit status, set once, and those who wait for it.
private final class ExitBox: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Int32?
    private var waiting: [UUID: CheckedContinuation<Int32?, Never>] = [:]

    var status: Int32? { lock.withLock { value } }

    func set(_ status: Int32) {
        let released = lock.withLock {
            value = status
            defer { waiting = [:] }
            return waiting.values
        }
        for continuation in released { continuation.resume(returning: status) }
    }

    func wait(within limit: Duration) async -> Int32? {
        let id = UUID()
        return await withCheckedContinuation { continuation in
            let known: Int32? = lock.withLock {
                if value == nil { waiting[id] = continuation }
                return value
            }
            if let known { return continuation.resume(returning: known) }
            DispatchQueue.global().asyncAfter(deadline: .now() + limit / .seconds(1)) { [self] in
                lock.withLock { waiting.removeValue(forKey: id) }?.resume(returning: nil)
            }
        }
    }
}
