public import AttestedSession
public import EnclaveVault
internal import CLinux
internal import Glibc

/// The life of an enclave process, the same for both executables.
public enum EnclaveProcess {
    /// Reads the configuration; the violations are printed and nil is returned when there are any.
    public static func configure(_ executable: EnclaveExecutable) -> EnclaveConfiguration? {
        do throws(ConfigurationError) {
            let source = try ConfigurationSource.load(executable)
            return try EnclaveConfiguration(source.values, for: executable, measured: source.isMeasured)
        } catch {
            for violation in error.violations { complain("\(violation)") }
            return nil
        }
    }

    /// What must come before the first thread and the first key; false when memory cannot be locked where it must be.
    public static func prepare(_ configuration: EnclaveConfiguration, _ log: Log) -> Bool {
        // Blocked before there is any other thread, so that only the main thread takes them.
        var signals = stopSignals()
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard Hardening.lockMemory() == .secretsOnly else { return true }
        guard configuration.environment == .local else {
            complain("the process' memory cannot be locked, which is a must outside local: CAP_IPC_LOCK is missing")
            return false
        }
        log.write(.warn, .memoryNotLocked)
        return true
    }

    /// Serves until SIGTERM or SIGINT, then drains; returns the exit status.
    ///
    /// `isDevShim` repeats every minute that nothing here is secure; `hourly` is called every hour.
    public static func serve(
        _ configuration: EnclaveConfiguration, evidence: any EvidenceSource, kms: any KeyManagement,
        keyService: (any KeyService)? = nil, log: Log, since started: MonotonicInstant, isDevShim: Bool = false,
        hourly: () -> Void = {}
    ) -> Int32 {
        log.write(
            .info,
            .starting(
                environment: configuration.environment.rawValue, mode: configuration.mode.rawValue,
                measurement: evidence.measurement, keyID: configuration.keyID, keyVersion: configuration.keyVersion))
        for name in configuration.unknownVariables { log.write(.warn, .unknownVariable(name)) }
        let server: EnclaveServer
        do throws(EnclaveStartError) {
            server = try EnclaveServer(
                configuration, evidence: evidence, kms: kms, keyService: keyService, log: log)
        } catch {
            switch error {
            case .configuration(let violation): complain("\(violation)")
            case .addressUnusable: complain("ENCLAVE_RUNTIME_BIND_ADDR: the address cannot be bound")
            }
            return error == .addressUnusable ? 1 : 2
        }
        server.start()
        log.write(
            .info,
            .ready(
                address: address(configuration.bind, server.boundPort),
                milliseconds: MonotonicInstant.now.milliseconds(after: started)))
        if isDevShim { log.write(.warn, .devShim) }
        // Most of what starting touched is not needed again, and a process whose memory is locked would keep it for good.
        alfred_release_file_pages()
        var signals = stopSignals()
        var minutes = 0
        while true {
            var minute = timespec(tv_sec: 60, tv_nsec: 0)
            if unsafe sigtimedwait(&signals, nil, &minute) > 0 { break }
            guard errno == EAGAIN else { continue }
            if isDevShim { log.write(.warn, .devShim) }
            minutes += 1
            if minutes % 60 == 0 { hourly() }
        }
        log.write(.info, .draining)
        server.drain()
        log.write(.info, .stopped)
        return 0
    }

    private static func stopSignals() -> sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe sigaddset(&signals, SIGINT)
        return signals
    }

    /// Says on stderr why the process ends.
    public static func complain(_ text: String) {
        var line = "enclave: \(text)\n"
        line.withUTF8 { bytes in unsafe _ = Glibc.write(2, bytes.baseAddress, bytes.count) }
    }

    private static func address(_ endpoint: Endpoint, _ port: UInt16) -> String {
        if case .tcp(let host, _) = endpoint { return Endpoint.tcp(host: host, port: port).description }
        return endpoint.description
    }
}
