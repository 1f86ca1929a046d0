import Glibc

/// A second process of this program, whose output is read line by line.
final class BenchProcess {
    private let process: pid_t
    private let output: Int32

    init?(arguments: [String]) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        output = ends[0]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        var words: [UnsafeMutablePointer<CChar>?] = (["rpc-bench"] + arguments).map { strdup($0) }
        words.append(nil)
        var started = pid_t()
        let status = posix_spawn(&started, "/proc/self/exe", &actions, nil, words, environ)
        for word in words { free(word) }
        posix_spawn_file_actions_destroy(&actions)
        close(ends[1])
        process = started
        guard status == 0 else { return nil }
    }

    /// The next line, at most 4 KiB; nil when the process ended.
    func readLine() -> String? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 4096, read(output, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }

    func end() {
        kill(process, SIGTERM)
        waitpid(process, nil, 0)
        close(output)
    }
}
