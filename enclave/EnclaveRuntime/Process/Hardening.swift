internal import CLinux
internal import Glibc

/// What makes a dying or inspected process give nothing away; called before anything else happens.
public enum Hardening {
    /// What became of locking the whole process.
    public enum MemoryLock: Sendable { case wholeProcess, secretsOnly }

    /// Gives fatal signals back to the kernel: Swift's crash handler would print registers and the memory they point to.
    ///
    /// First thing in `main`.
    public static func resetFatalSignals() {
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGQUIT] {
            _ = signal(number, SIG_DFL)
        }
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// No core dump, no tracing by the same user, one heap, wiping allocators in OpenSSL and libcurl.
    public static func apply() {
        // With it libcurl would write the keys of every TLS connection to a file.
        unsafe unsetenv("SSLKEYLOGFILE")
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        _ = alfred_set_undumpable()
        // Each heap keeps what its busiest moment took; sharing one costs no throughput that can be measured.
        _ = mallopt(M_ARENA_MAX, 1)
        // Set, although these are the defaults: otherwise they rise with use, and tables that grew leave holes in the heap.
        _ = mallopt(M_MMAP_THRESHOLD, 128 * 1024)
        _ = mallopt(M_TRIM_THRESHOLD, 128 * 1024)
        WipingAllocator.install()
    }

    /// Locks all present and future memory where the kernel is sure to allow it.
    ///
    /// Judged before the call: under a small limit `mlockall` succeeds and the next thread fails.
    public static func lockMemory() -> MemoryLock {
        guard mayLockAll() else { return .secretsOnly }
        return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0
            ? .wholeProcess : .secretsOnly
    }

    /// Mixes `random` into the kernel's pool and lets it draw on that at once where this process may say so.
    static func seed(_ random: [UInt8]) -> Bool {
        let device = unsafe alfred_open_device("/dev/urandom")
        guard device >= 0 else { return false }
        defer { close(device) }
        guard unsafe write(device, random, random.count) == random.count else { return false }
        _ = alfred_reseed_random(device)
        return true
    }

    private static func mayLockAll() -> Bool {
        var limit = rlimit()
        unsafe _ = getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit)
        if limit.rlim_cur >= 256 * 1024 * 1024 { return true }
        guard let status = ConfigurationSource.text(of: "/proc/self/status") else { return false }
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let bits = line.flatMap { UInt64(trimmed(String($0.dropFirst(7))), radix: 16) } ?? 0
        return bits & (1 << 14) != 0  // CAP_IPC_LOCK
    }
}
